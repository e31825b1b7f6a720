"""What the drill `fuzz` sends: requests, requests that something happened to, and noise; by an encoder of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

START, END, WAKE_UP, OFFSET = 0x68, 0x16, 0xFE, 0x33
READ, READ_ADDRESS = 0x11, 0x13
ANY, BROADCAST = b"\xaa" * 6, b"\x99" * 6
FILLER_OCTETS: Final = 267
"""As many octets as the longest frame has: behind them no start waits for its rest any more."""

FILLERS = (0x00, WAKE_UP, END, OFFSET, 0xFF)
CONTROLS = (0x03, 0x08, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D)
NOISE_OCTETS_MAX = 400
SOUND_SHARE = 0.12
"""Share of sound requests among the pieces of a burst."""

Mutation = Callable[["Mutator", bytes], bytes]


class Burst(NamedTuple):
    """Octets that are sent in one go, and where in them the sound requests begin that were put in between."""

    octets: bytes
    sound: tuple[int, ...]


def frame(address: bytes, control: int, data: bytes) -> bytes:
    """Octets of a frame: `address` in the order of the line, `data` before the 33H step, at most 255 octets."""
    body = bytes((START, *address, START, control, len(data))) + bytes((octet + OFFSET) & 0xFF for octet in data)
    return body + bytes((sum(body) & 0xFF, END))


class Mutator:
    """Makes bursts from a seed, for the meter with `address` (order of the line) that answers `identifiers`."""

    def __init__(self, chance: random.Random, address: bytes, identifiers: Sequence[int]) -> None:
        self.chance = chance
        self.address = address
        self._identifiers = [di.to_bytes(4, "little") for di in identifiers]

    def burst(self, octets_min: int) -> Burst:
        """At least `octets_min` octets, ending in filler, so that nothing of it is still waited for."""
        chance, pieces, size, sound = self.chance, list[bytes](), 0, list[int]()
        while size < octets_min:
            if chance.random() < SOUND_SHARE:
                piece = self.sound()
                sound.append(size + piece.index(START))
            else:
                piece = self.junk()
            pieces.append(piece)
            size += len(piece)
        pieces.append(bytes((chance.choice(FILLERS),)) * FILLER_OCTETS)
        return Burst(b"".join(pieces), tuple(sound))

    def half_frame(self) -> bytes:
        """The beginning of a frame that announces more than comes, with a sound request in what it announced."""
        length = self.chance.randrange(200, 256)
        head = bytes((START, *self.address, START, READ, length))
        return head + self.chance.randbytes(self.chance.randrange(20)).replace(b"\x68", b"\x00") + self.sound()

    def sound(self) -> bytes:
        """A request that must be answered."""
        chance = self.chance
        preamble = b"\xfe" * chance.randrange(5)
        if chance.random() < 0.1:
            return preamble + frame(chance.choice((ANY, self.address)), READ_ADDRESS, b"")
        return preamble + frame(self._own_form(), READ, chance.choice(self._identifiers))

    def junk(self) -> bytes:
        """Noise, or a request with something done to it."""
        chance = self.chance
        if chance.random() < 0.25:
            return self.noise(chance.randrange(1, NOISE_OCTETS_MAX))
        return chance.choice(MUTATIONS)(self, self.request())

    def noise(self, size: int) -> bytes:
        """`size` octets: even, or thick with octets that mean something."""
        chance = self.chance
        octets = bytearray(chance.randbytes(size))
        marks = chance.choice(((), (START,), (START, END), (WAKE_UP,), (START, 0x00, 0x0C), (END, 0x33)))
        if marks:
            for at in range(chance.randrange(3), size, chance.randrange(2, 9)):
                octets[at] = chance.choice(marks)
        return bytes(octets)

    def request(self) -> bytes:
        """A frame in order: any function, address form and length, mostly reads of this meter."""
        chance = self.chance
        if chance.random() < 0.5:
            return frame(self._own_form(), READ, self.identifier())
        control = chance.choice(CONTROLS) if chance.random() < 0.8 else chance.randrange(256)
        length = chance.choice((0, 1, 4, 5, 6, 8, 10, 12, 13, 16, chance.randrange(256)))
        return frame(self.address_form(), control, (self.identifier() + chance.randbytes(length))[:length])

    def identifier(self) -> bytes:
        """An identifier: one that is answered, a neighbour of one, or any."""
        chance = self.chance
        known = chance.choice(self._identifiers)
        if chance.random() < 0.4:
            return known
        if chance.random() < 0.5:
            near = bytearray(known)
            near[chance.randrange(4)] = chance.choice((0x00, 0x01, 0x06, 0x0E, 0xFF, chance.randrange(256)))
            return bytes(near)
        return chance.randbytes(4)

    def _own_form(self) -> bytes:
        """A form of address that reaches this meter: whole, all AA, or with AA from the top down."""
        kind = self.chance.random()
        if kind < 0.6:
            return self.address
        return ANY if kind < 0.8 else self.address[: (kept := self.chance.randrange(1, 6))] + ANY[kept:]

    def address_form(self) -> bytes:
        """Any form of address, of this meter or another."""
        chance = self.chance
        other = bytes(chance.randrange(10) << 4 | chance.randrange(10) for _ in range(6))
        forms = (self._own_form(), BROADCAST, other, chance.randbytes(6), ANY[:3] + self.address[3:])
        return chance.choice(forms)


def _flip(own: Mutator, octets: bytes) -> bytes:
    flipped = bytearray(octets)
    for _ in range(own.chance.randrange(1, 5)):
        flipped[own.chance.randrange(len(flipped))] ^= 1 << own.chance.randrange(8)
    return bytes(flipped)


def _truncate(own: Mutator, octets: bytes) -> bytes:
    at = own.chance.randrange(1, len(octets))
    return octets[:at] if own.chance.random() < 0.7 else octets[at:]


def _double(own: Mutator, octets: bytes) -> bytes:
    at = own.chance.randrange(len(octets))
    return octets * 2 if own.chance.random() < 0.5 else octets[: at + 1] + octets[at:]


def _splice(own: Mutator, octets: bytes) -> bytes:
    other = own.request()
    return octets[: own.chance.randrange(1, len(octets))] + other[own.chance.randrange(len(other)) :]


def _false_start(own: Mutator, octets: bytes) -> bytes:
    chance = own.chance
    head = bytes((START, *own.address, START, chance.choice(CONTROLS), chance.randrange(256)))
    return chance.choice((b"\x68" * chance.randrange(1, 12), head, head[: chance.randrange(1, 10)])) + octets


def _wake_up(own: Mutator, octets: bytes) -> bytes:
    at = own.chance.randrange(len(octets))
    run = b"\xfe" * own.chance.randrange(1, 300)
    return run + octets if own.chance.random() < 0.6 else octets[:at] + run[:9] + octets[at:]


def _wrong_length(own: Mutator, octets: bytes) -> bytes:
    wrong = bytearray(octets)
    wrong[9] = own.chance.randrange(256)
    if own.chance.random() < 0.5:
        wrong[-2] = sum(wrong[:-2]) & 0xFF
    return bytes(wrong)


def _wrong_sum(own: Mutator, octets: bytes) -> bytes:
    return octets[:-2] + bytes((octets[-2] + own.chance.randrange(1, 256) & 0xFF, END))


def _wrong_end(own: Mutator, octets: bytes) -> bytes:
    return octets[:-1] + bytes((own.chance.randrange(256),))


def _any_control(own: Mutator, octets: bytes) -> bytes:
    data = own.identifier() + own.chance.randbytes(own.chance.randrange(20))
    return frame(own.address_form(), own.chance.randrange(256), data)


def _reply(own: Mutator, octets: bytes) -> bytes:
    control = 0x80 | own.chance.randrange(128)
    return frame(own.address_form(), control, own.identifier() + own.chance.randbytes(4))


def _nested(own: Mutator, octets: bytes) -> bytes:
    """A frame with a whole frame in its data field, as the line shows it."""
    inside = bytes((octet - OFFSET) & 0xFF for octet in octets[:200])
    outer = frame(own.address_form(), own.chance.randrange(256), inside)
    return outer if own.chance.random() < 0.5 else _flip(own, outer)


def _as_it_is(own: Mutator, octets: bytes) -> bytes:
    return octets


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _truncate, _double, _splice, _false_start, _wake_up, _wrong_length, _wrong_sum, _wrong_end, _any_control,
    _reply, _nested, _as_it_is,
)  # fmt: skip
"""What may happen to a request; each as likely."""
