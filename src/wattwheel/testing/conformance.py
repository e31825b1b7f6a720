"""The exams: what "implements the hardware interface" means, as yes or no, for every driver.

Each raises AssertionError with a sentence when a promise of `hil` is broken. They hold for whoever writes a driver
outside this package as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from wattwheel.hil.octets import OctetChannel
from wattwheel.hil.storage import Change, Memory, RecordMedium
from wattwheel.model.errors import StorageError

ROUNDS_MAX = 10_000
"""Looks at a channel before octets count as lost."""


class ClosableMemory(Memory, Protocol):
    """A memory that can be given back and opened again."""

    def close(self) -> None:
        """Give it back."""


def _nothing() -> None:
    """What has to be done between two looks at a channel that needs nothing done."""


def check_memory(open_memory: Callable[[], ClosableMemory]) -> None:
    """Raise AssertionError unless the memory keeps the `Memory` contract.

    `open_memory`: opens always the same memory of at least 64 octets, which is fresh at the first call.
    """
    memory = open_memory()
    assert memory.size >= 64, "the exam needs 64 octets"
    assert memory.read(0, memory.size) == bytes(memory.size), "a fresh memory reads as zeros"
    memory.write(0, b"\x01\x02\x03")
    memory.write(memory.size - 2, b"\xfe\xff")
    memory.write(1, b"\x22")
    assert memory.read(0, 4) == b"\x01\x22\x03\x00", "what was written can be read at once"
    assert memory.read(memory.size - 2, 2) == b"\xfe\xff", "the last octets belong to it"
    assert memory.read(5, 0) == b"", "nothing can be read"
    memory.write(7, b"")
    for offset, octets in ((memory.size, b"x"), (memory.size - 1, b"xy"), (-1, b"x")):
        _must_refuse(partial(memory.write, offset, octets), "a write outside")
        _must_refuse(partial(memory.read, offset, len(octets)), "a read outside")
    memory.sync()
    before = memory.read(0, memory.size)
    memory.close()
    memory = open_memory()
    assert memory.read(0, memory.size) == before, "what was synced is there after opening again"
    memory.write(10, b"kept")
    memory.close()
    memory = open_memory()
    assert memory.read(10, 4) == b"kept", "an orderly end keeps what was written, synced or not"
    memory.close()


def check_record_medium(open_medium: Callable[[], RecordMedium]) -> None:
    """Raise AssertionError unless the medium keeps the `RecordMedium` contract as far as no fault is needed for it.

    `open_medium`: opens always the same medium, which is fresh at the first call. What cuts and damage do is tested
    with each driver, because each has its own ways to break.
    """
    medium = open_medium()
    assert medium.load("a") == {}, "a fresh name space is empty"
    medium.commit([])
    medium.commit([Change("a", "x", b"1"), Change("a", "y", b""), Change("b", "x", b"other")])
    expected = {"a": {"x": b"1", "y": b""}, "b": {"x": b"other"}}
    _must_hold(medium, expected, "after a commit; an empty payload is a payload")
    medium.commit([Change("a", "x", b"2"), Change("a", "x", b"3"), Change("a", "gone", None)], both=True)
    expected["a"]["x"] = b"3"
    _must_hold(medium, expected, "the last change of a key counts, deleting what is not there is nothing")
    medium.close()
    medium = open_medium()
    _must_hold(medium, expected, "after opening again")
    long_name, large = "k" * 255, bytes(range(256)) * 400
    medium.commit([Change("a", "Zählerstand", large), Change("a", long_name, b"long"), Change("a", "y", None)])
    medium.refresh()
    medium.commit([Change("b", "x", None), Change("a", long_name, None), Change("a", "y", b"again")])
    expected = {"a": {"x": b"3", "Zählerstand": large, "y": b"again"}, "b": {}}
    _must_hold(medium, expected, "after deleting and writing again")
    for name_space, key in (("", "x"), ("a", ""), ("a", "k" * 256), ("n" * 256, "x")):
        _must_refuse(partial(medium.commit, [Change(name_space, key, b"")]), "a name of 0 or 256 octets")
    for number in range(40):
        medium.commit([Change("b", f"ring_{number % 7}", number.to_bytes(4, "little"))])
    expected["b"] = {f"ring_{number % 7}": number.to_bytes(4, "little") for number in range(40)}
    medium.refresh()
    medium.close()
    medium.close()
    medium = open_medium()
    _must_hold(medium, expected, "after many transactions and opening again")
    assert medium.faults == 0, "no damage was done, none may be found"
    assert not any(medium.recovered.values()), "nothing had to be recovered"
    medium.close()


def check_octet_channel(
    make_pair: Callable[[], tuple[OctetChannel, OctetChannel]],
    turn: Callable[[], None] = _nothing,
    is_closable: bool = True,
) -> None:
    """Raise AssertionError unless both ends keep the `OctetChannel` contract.

    `make_pair` makes the two ends of a channel that does nothing to its octets on purpose. `turn` lets the driver do
    its work: run its loop until something happens or a millisecond is over, advance its clock. `is_closable`: False
    for lines whose far end is never gone.
    """
    near, far = make_pair()
    arrivals = 0

    def arrived() -> None:
        nonlocal arrivals
        arrivals += 1

    far.on_arrival(arrived)
    assert far.read() == b"", "read() must not block and must not invent octets"
    for source, target in ((near, far), (far, near)):
        for octets in (b"\x68" * 300, b"\x16", bytes(range(256))):
            source.write(octets)
        for _ in range(ROUNDS_MAX):  # the octets may be read only after the call, or the call would be in vain
            if target is near or arrivals:
                break
            turn()
        arrived_octets = _drain(target, 557, turn)
        assert arrived_octets == b"\x68" * 300 + b"\x16" + bytes(range(256)), "all of it, in order, nothing invented"
    assert arrivals, "the arrival action was never called"
    assert near.dropped == far.dropped == 0, "nothing was dropped"
    sent = b"".join(number.to_bytes(4, "big") for number in range(1 << 18))
    for at in range(0, len(sent), 4096):
        near.write(sent[at : at + 4096])
    got = _drain(far, len(sent), turn, near)
    assert len(got) + near.dropped == len(sent), f"{len(got)} arrived, {near.dropped} counted as dropped"
    assert sent.startswith(got[:4096]), "a full channel keeps the order"
    near.close()
    near.close()
    if is_closable:
        for _ in range(ROUNDS_MAX):
            if far.is_closed:
                break
            turn()
            far.read()
        assert far.is_closed, "the far end must learn that the near one is gone"
    far.close()


def _drain(channel: OctetChannel, octets: int, turn: Callable[[], None], source: OctetChannel | None = None) -> bytes:
    """What arrives at `channel`, until `octets` have (less what `source` has dropped) or nothing more comes."""
    got = bytearray()
    idle = 0
    while len(got) < octets - (source.dropped if source else 0) and idle < ROUNDS_MAX:
        turn()
        piece = channel.read()
        got += piece
        idle = 0 if piece else idle + 1
    return bytes(got)


def _must_hold(medium: RecordMedium, expected: dict[str, dict[str, bytes]], when: str) -> None:
    for name_space, records in expected.items():
        found = medium.load(name_space)
        assert found == records, f"{when}: {name_space} holds {sorted(found)}, expected {sorted(records)}"


def _must_refuse(action: Callable[[], object], what: str) -> None:
    try:
        action()
    except StorageError:
        return
    raise AssertionError(f"{what} must raise StorageError")
