"""How the APP `parameters` copies standby sets in the 2020 profile, when the APP `energy` asks for it.

A copy and the end of its instant are one transaction. Nobody hears of it before it is on the medium; what is in force
is the same before and after, so it may take its time.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from wattwheel.model.profile import PROFILE_DI, YEAR_2020, copied_di
from wattwheel.model.set_copies import Asked, copied_sets, copy_of
from wattwheel.sdk import Meter
from wattwheel.sdk.writing import Writes, item_key

COPIED_KEY = "sets copied"
SWITCH_OVERS_PORT = "switch_overs"


class SetKeeping:
    """Which sets have been copied. In the 2007 profile there are none, and nothing is told."""

    def __init__(self, meter: Meter, values: dict[int, bytes], is_2020: bool) -> None:
        """`values`: the parameters, which a copy changes."""
        self._meter, self._values, self._is_2020 = meter, values, is_2020
        self._copied = copied_sets(meter.saved.get(COPIED_KEY)) if is_2020 else {}
        if not is_2020 and COPIED_KEY in meter.saved:  # from here on sets change over without a copy
            meter.save({COPIED_KEY: None}, promised=True)

    def told(self) -> dict[int, bytes]:
        """What is told beside the parameters."""
        if not self._is_2020:
            return {}
        return {PROFILE_DI: YEAR_2020, **{copied_di(switch): instant for switch, instant in self._copied.items()}}

    def follow(self, writes: Writes, tell: Callable[[], None]) -> None:
        """Copy what is asked for, between two writes; `tell` whoever reads parameters after it."""
        if not self._is_2020 or not self._meter.has_port(SWITCH_OVERS_PORT):
            return

        def asked(meter: Meter, octets: bytes) -> None:
            wanted = msgspec.msgpack.decode(octets, type=Asked)
            writes.between(lambda: self._copy(wanted, writes, tell))

        self._meter.on_sampled(SWITCH_OVERS_PORT, asked)

    def _copy(self, wanted: Asked, writes: Writes, tell: Callable[[], None]) -> None:
        copy = copy_of(self._values, self._copied, wanted)
        if copy is None:
            return

        def saved() -> None:
            for di, octets in copy.items.items():
                if octets is None:
                    self._values.pop(di, None)
                else:
                    self._values[di] = octets
            self._copied = copy.copied
            self._meter.counters.add("sets_copied")
            tell()

        items: dict[str, bytes | None] = {item_key(di): octets for di, octets in copy.items.items()}
        writes.alone({**items, COPIED_KEY: msgspec.msgpack.encode(copy.copied)}, saved)
