"""What strangers' clients read, and what it must be."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.page_api import PageApi

from wattwheel.model.catalogue import item_2007
from wattwheel.protocols.dlt645.frame import decode as decode_frame
from wattwheel.protocols.dlt645.items import decode as decode_item

ENERGIES = (0x00000000, 0x00010000, 0x00020000, 0x00010100)
RATIO = 50
TRIES_MAX = 5
UNDISTURBED_S = 0.9


def momentary(measured: dict[str, Any]) -> dict[int, tuple[float, float]]:
    """Identifier to (secondary value by `measure`, one digit of the wire) of every momentary item that clients read."""
    found: dict[int, tuple[float, float]] = {0x02800002: (measured["frequency_hz"], 0.01)}
    for number, phase in enumerate("abc", 1):
        ac = measured["phases"][phase]["ac"]
        found |= {
            0x02010000 | number << 8: (ac["voltage_v_rms"], 0.1),
            0x02020000 | number << 8: (ac["current_a_rms"] / RATIO, 0.001),
            0x02030000 | number << 8: (ac["active_power_w"] / RATIO / 1000, 0.0001),
            0x02040000 | number << 8: (ac["reactive_power_var"] / RATIO / 1000, 0.0001),
            0x02050000 | number << 8: (ac["apparent_power_va"] / RATIO / 1000, 0.0001),
            0x02060000 | number << 8: (ac["power_factor"], 0.001),
        }
    sums = {
        di2: sum(measured["phases"][phase]["ac"][name] for phase in "abc") / RATIO / 1000
        for di2, name in ((3, "active_power_w"), (4, "reactive_power_var"), (5, "apparent_power_va"))
    }
    found |= {0x02000000 | di2 << 16: (value, 0.0001) for di2, value in sums.items()}
    found[0x02060000] = (sums[3] / sums[5], 0.001)
    return found


def octets_of(frame: str) -> bytes:
    """The octets of a captured frame."""
    return bytes.fromhex(frame)


def value_in(frame: str, di: int) -> Any:
    """The value that a captured reply carries, by our own codec."""
    reply = decode_frame(octets_of(frame))
    assert reply.control == 0x91
    assert int.from_bytes(reply.data[:4], "little") == di
    return decode_item(item_2007(di), reply.data[4:]).value


def read_between(
    api: PageApi, di: int, read: Callable[[], Any], say: Callable[[], Any] | None = None
) -> tuple[Any, Any, Any]:
    """What the API (`say`) says, what `read` gets, and what the API says then, close together in time."""
    say = say or (lambda: api.value(di))
    for _ in range(TRIES_MAX):
        begin = time.perf_counter()
        before, got, after = say(), read(), say()
        if time.perf_counter() - begin < UNDISTURBED_S:
            break
    return before, got, after


def check_energy(before: float, got: float, after: float) -> None:
    assert before <= got <= after


def check_momentary(before: float, got: float, after: float, expected: tuple[float, float]) -> None:
    value, digit = expected
    assert got in (before, after)
    assert abs(got - value) <= digit * 1.0001
