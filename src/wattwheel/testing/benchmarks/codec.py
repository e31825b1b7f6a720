"""The codec beside the PyPI package `dlt645`: encode a read request and decode the reply, all checks on, frame objects.

Both sides do the same work on the same frames: from address octets or text, identifier and preamble to the octets of
the request, and from the octets of a reply to a frame object with address, control, data and preamble. The frames are
made of distinct random addresses, identifiers of the catalogue and random values; nothing is remembered by content.
Time is processor time of the process. The peer runs in an interpreter and an environment of its own, fed by stdin.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from wattwheel.model.catalogue import ITEMS_2007
from wattwheel.protocols.dlt645.frame import Frame, FrameReader, Station, decode, encode
from wattwheel.protocols.dlt645.functions import RESPONSE, Function2007

PAIRS: Final = 1000
"""Distinct request and reply pairs of one measurement."""
VALUE_OCTETS: Final = (2, 3, 4)
"""Item widths of the replies: voltages, currents and powers, energies."""
PEER: Final = "dlt645==3.2.0"
"""What to install into the peer's environment."""

PEER_SCRIPT: Final = """\
import hashlib, json, sys, time
from dlt645.protocol.protocol import DLT645Protocol

build, deserialize = DLT645Protocol.build_frame, DLT645Protocol.deserialize
work = json.load(sys.stdin)
pairs = [
    (bytes.fromhex(address)[::-1], bytes.fromhex(di), preamble, bytes.fromhex(reply))
    for address, di, preamble, reply in work["pairs"]
]

def run():
    for address, di, preamble, reply in pairs:
        build(address, 0x11, di, preamble)
        deserialize(reply)

digest = hashlib.sha256()
for address, di, preamble, reply in pairs:
    digest.update(build(address, 0x11, di, preamble))
    frame = deserialize(reply)
    digest.update(bytes(frame.addr)[::-1].hex().upper().encode())
    digest.update(bytes((frame.ctrl_code, len(frame.preamble))) + bytes(frame.data))
rounds, begin = 0, time.process_time()
while (spent := time.process_time() - begin) < work["seconds"]:
    run()
    rounds += 1
print(json.dumps({"pairs_per_cpu_s": rounds * len(pairs) / spent, "digest": digest.hexdigest()}))
"""
"""What the peer's interpreter runs: reads the pairs as JSON on stdin, prints its figure and a digest of its results."""


class Pair(NamedTuple):
    """One read: what is asked and what comes back.

    Attributes:
        address: of the meter, 12 digits.
        di: identifier in the order of the line, four octets.
        preamble: FEH octets before the request.
        reply: octets of the reply, preamble included.
    """

    address: str
    di: bytes
    preamble: int
    reply: bytes


class Figure(NamedTuple):
    """Pairs per second of processor time, and a digest of all results, equal for equal work."""

    pairs_per_cpu_s: float
    digest: str


class Comparison(NamedTuple):
    """Several interleaved repeats: the figures of both sides in order, pairs per second of processor time."""

    ours: tuple[float, ...]
    peer: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Best of ours over best of the peer's: the least disturbed repeat of each."""
        return max(self.ours) / max(self.peer)

    @property
    def ratio_min(self) -> float:
        """Smallest ratio within one repeat."""
        return min(ours / peer for ours, peer in zip(self.ours, self.peer, strict=True))


def pairs(seed: int, count: int = PAIRS) -> list[Pair]:
    """`count` reads of distinct random addresses, identifiers of the catalogue, values and preambles."""
    chance = random.Random(seed)
    identifiers = [item.di for item in ITEMS_2007]
    made: list[Pair] = []
    for number in chance.sample(range(10**12), count):
        address = f"{number:012d}"
        di = chance.choice(identifiers).to_bytes(4, "little")
        value = chance.randbytes(chance.choice(VALUE_OCTETS))
        reply = encode(Frame(address, Function2007.READ | RESPONSE, di + value), chance.randrange(5))
        made.append(Pair(address, di, chance.randrange(5), reply))
    return made


def measure(work: Sequence[Pair], seconds: float = 1.0) -> Figure:
    """Our figure by the general functions: a request frame object and its octets, a reply's octets and its frame."""
    digest = hashlib.sha256()
    for address, di, preamble, reply in work:
        digest.update(encode(Frame(address, 0x11, di), preamble))
        frame = decode(reply)
        digest.update(frame.address.encode() + bytes((frame.control, frame.preamble)) + frame.data)
    rounds, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < seconds:
        for address, di, preamble, reply in work:
            encode(Frame(address, 0x11, di), preamble)
            decode(reply)
        rounds += 1
    return Figure(rounds * len(work) / spent, digest.hexdigest())


def measure_bound(work: Sequence[Pair], seconds: float = 1.0) -> Figure:
    """Our figure as a channel does it: stations that hold their octets, and a stream reader for the replies."""
    digest = hashlib.sha256()
    reader = FrameReader()
    bound = [(Station(pair.address), pair.di, pair.preamble, pair.reply) for pair in work]
    for station, di, preamble, reply in bound:
        digest.update(station.encode(0x11, di, preamble))
        for frame in reader.feed(reply):
            digest.update(frame.address.encode() + bytes((frame.control, frame.preamble)) + frame.data)
    rounds, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < seconds:
        for station, di, preamble, reply in bound:
            station.encode(0x11, di, preamble)
            reader.feed(reply)
        rounds += 1
    return Figure(rounds * len(work) / spent, digest.hexdigest())


def measure_peer(work: Sequence[Pair], python: Path, seconds: float = 1.0) -> Figure:
    """The peer's figure; `python` is the interpreter of an environment that has PEER.

    Raises OSError or subprocess.SubprocessError when the peer cannot be run.
    """
    rows = [(pair.address, pair.di.hex(), pair.preamble, pair.reply.hex()) for pair in work]
    done = subprocess.run(
        [python, "-I", "-c", PEER_SCRIPT],
        input=json.dumps({"pairs": rows, "seconds": seconds}),
        capture_output=True,
        check=True,
        text=True,
        timeout=60 + 10 * seconds,
    )
    figure = json.loads(done.stdout.splitlines()[-1])
    return Figure(figure["pairs_per_cpu_s"], figure["digest"])


def compare(python: Path, seed: int = 645, repeats: int = 5, seconds: float = 1.0) -> Comparison:
    """Both sides in turn, `repeats` times, on the same pairs.

    Raises AssertionError when their results differ, and as `measure_peer` does.
    """
    work = pairs(seed)
    ours: list[float] = []
    peer: list[float] = []
    for _ in range(repeats):
        mine, other = measure(work, seconds), measure_peer(work, python, seconds)
        assert mine.digest == other.digest, "the peer's results differ from ours"
        ours.append(mine.pairs_per_cpu_s)
        peer.append(other.pairs_per_cpu_s)
    return Comparison(tuple(ours), tuple(peer))
