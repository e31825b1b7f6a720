"""A simulated meter for whoever writes an APP: the whole meter, the APP in a partition of its own, virtual time.

with simulated_meter(app) as meter:
    meter.active_power_w = 8000
    meter.advance(60)
    assert meter.read("import_active_energy") == 13
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from wattwheel.boot.added_apps import AddedApp, with_apps
from wattwheel.sdk import App
from wattwheel.testing.world import NO_FAULTS, Faults, World


class SimulatedMeter(World):
    """A world whose meter is ready, with a handle on its load."""

    @property
    def active_power_w(self) -> float:
        """Active power of all phases together that flows now; set it to let another flow."""
        total = self.meter.load.momentary().elements[0].active_power_milliwatt
        return (total or 0) / 1000

    @active_power_w.setter
    def active_power_w(self, watts: float) -> None:
        self.set_power(watts)


@contextmanager
def simulated_meter(
    *apps: App, owns: Sequence[tuple[str, App]] = (), seed: int = 0, faults: Faults = NO_FAULTS
) -> Iterator[SimulatedMeter]:
    """A meter that is ready, with `apps` in partitions of their own beside the standard ones.

    `owns`: identifier prefixes in hex, and the APP that answers their reads. Raises AssertionError at the end when any
    partition has crashed.
    """
    added = [
        AddedApp(app.name, f"given:{app.name}", tuple(prefix for prefix, owner in owns if owner is app)) for app in apps
    ]
    meter = SimulatedMeter(
        seed,
        faults,
        entries={app.name: app.start for app in apps},
        adapt=partial(with_apps, apps=added),
    )
    meter.await_ready()
    yield meter
    crashes = [f"{crash.partition}: {crash.fault!r}" for crash in meter.meter.crashes]
    assert not crashes, f"partitions crashed: {crashes}"
