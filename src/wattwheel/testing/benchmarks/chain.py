"""The signal chain beside pqopen-lib: pairs of voltage and current samples a second of processor time.

Both sides get the same counts of a distorted load in the same blocks and put out RMS values, active power and
frequency of every ten cycles. Ours adds reactive power of the fundamental, energy registers and test pulses; the peer
adds RMS and power of every cycle and RMS of every half cycle, which `with_half_cycles` adds to ours. No harmonics on
either side. The results of both are compared before any figure is believed. The peer runs in an interpreter of its
own.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from wattwheel.boot.full_speed import Metered, meter_all
from wattwheel.hil.sampling import SampleBlock, SampleFormat
from wattwheel.testing.benchmarks.peers import PeerUnavailableError, peer_python
from wattwheel.testing.benchmarks.result import Result
from wattwheel.testing.stimulus import Converter, Wave, sines, split

PEER: Final = "pqopen-lib==0.10.5"
"""What to install into the peer's environment."""

RATIO_TARGET: Final = 8.0
PAIRS_TARGET: Final = 60e6
PAIRS_TARGET_MEMCPY_GB_S: Final = 20.0
"""The absolute target holds for a machine that copies memory this fast and is scaled to the one at hand."""

SECONDS: Final = 40.0
"""Length of the signal."""

BLOCK_SAMPLES: Final = 83_333
"""Samples a block: four seconds."""

REPEATS: Final = 3
TOLERANCE: Final = 3e-4
"""Agreement of the two sides: the peer cuts its windows at whole samples."""

PEER_SCRIPT: Final = """\
import json, sys, time
import numpy as np
from daqopen.channelbuffer import AcqBuffer
from pqopen.powersystem import PowerSystem

work = json.load(sys.stdin)
counts = np.load(work["file"])
size = work["block"]

def run():
    room = 4 * size
    volts = AcqBuffer(size=room, scale_gain=work["volts"])
    amps = AcqBuffer(size=room, scale_gain=work["amps"])
    system = PowerSystem(zcd_channel=volts, input_samplerate=work["rate"])
    system.add_phase(u_channel=volts, i_channel=amps)
    for at in range(0, counts.shape[1], size):
        volts.put_data(counts[0, at:at + size])
        amps.put_data(counts[1, at:at + size])
        system.process()
    return system.output_channels

last = {name: float(channel.last_sample_value) for name, channel in run().items()}
rounds, begin = 0, time.process_time()
while (spent := time.process_time() - begin) < work["seconds"]:
    run()
    rounds += 1
print(json.dumps({"pairs_per_cpu_s": rounds * counts.shape[1] / spent, "last": last}))
"""
"""What the peer's interpreter runs: reads its work as JSON on stdin, prints its figure and its last values."""


class Work(NamedTuple):
    """The samples both sides meter."""

    form: SampleFormat
    block: SampleBlock

    @property
    def pairs(self) -> int:
        """Pairs of one run."""
        return len(self.block.voltage)


def work(seconds: float = SECONDS, seed: int = 1) -> Work:
    """A distorted load of 50.003 Hz, 16 bits with noise, 48 microseconds apart."""
    converter = Converter()
    wave = Wave(
        (sines(50.003, {1: (220.0, 0.0), 3: (6.6, 40.0), 5: (4.4, -25.0)}),),
        (sines(50.003, {1: (10.0, -30.0), 3: (3.0, 75.0), 5: (1.5, -120.0)}),),
        50.003,
    )
    return Work(converter.form(), converter.sample(wave, seconds, seed, 0.0037))


def run(given: Work, with_half_cycles: bool = False) -> Metered:
    """Meter the whole work once."""
    return meter_all(given.form, split(given.block, [BLOCK_SAMPLES]), with_half_cycles=with_half_cycles)


def measure(given: Work, seconds: float = 1.0, with_half_cycles: bool = False) -> float:
    """Our figure: pairs a second of processor time, over at least `seconds` of it."""
    run(given, with_half_cycles)
    rounds, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < seconds:
        run(given, with_half_cycles)
        rounds += 1
    return rounds * given.pairs / spent


def measure_peer(given: Work, python: Path, seconds: float = 1.0) -> tuple[float, dict[str, float]]:
    """The peer's figure and its last values by name; `python` is the interpreter of an environment that has PEER.

    Raises OSError or subprocess.SubprocessError when the peer cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "counts.npy"
        np.save(file, np.stack((given.block.voltage[:, 0], given.block.current[:, 0])))
        task = {
            "file": str(file),
            "block": BLOCK_SAMPLES,
            "rate": given.form.rate_hz,
            "volts": given.form.voltage_v_per_count[0],
            "amps": given.form.current_a_per_count[0],
            "seconds": seconds,
        }
        done = subprocess.run(
            [python, "-I", "-c", PEER_SCRIPT],
            input=json.dumps(task),
            capture_output=True,
            check=True,
            text=True,
            timeout=120 + 10 * seconds,
        )
    figure = json.loads(done.stdout.splitlines()[-1])
    return figure["pairs_per_cpu_s"], figure["last"]


def agree(ours: Metered, peer: dict[str, float]) -> bool:
    """Whether both sides found the same voltage, current and power. The peer's names end alike whatever the
    phase's."""
    mine = (ours.voltage_v_rms, ours.current_a_rms, ours.active_power_w)
    other = (peer["U1_rms"], peer["I1_rms"], peer["P1"])
    return all(abs(b / a - 1.0) <= TOLERANCE for a, b in zip(mine, other, strict=True))


def measure_chain() -> list[Result]:
    """The rows of the bench table: beside the peer, and against the machine's memory speed."""
    from wattwheel.testing.benchmarks.figures import memcpy_gb_s  # the table's module may import this one

    given = work()
    name = PEER.replace("==", " ")
    copied = memcpy_gb_s()
    wanted = PAIRS_TARGET * copied / PAIRS_TARGET_MEMCPY_GB_S
    ours: list[float] = []
    peer: list[float] = []
    halves: list[float] = []
    notes = [f"{SECONDS:g} s of single-phase 16-bit samples in blocks of 4 s, processor time, best of {REPEATS}"]
    try:
        python = peer_python(PEER)
        for _ in range(REPEATS):
            ours.append(measure(given))
            halves.append(measure(given, with_half_cycles=True))
            figure, last = measure_peer(given, python)
            if not agree(run(given), last):
                notes.append(f"the peer's values differ from ours: {last}")
            peer.append(figure)
    except (PeerUnavailableError, OSError, subprocess.SubprocessError) as fault:
        notes.append(f"not run: {fault}")
        ours += [measure(given) for _ in range(REPEATS - len(ours))]
    if halves:
        notes.append(f"with RMS of every half cycle {max(halves) / 1e6:.1f} million pairs/s")
    return [
        Result(
            name="chain",
            value=max(ours),
            unit="pairs/s",
            peers={name: max(peer, default=None)},
            ratio=max(ours) / max(peer) if peer else None,
            target=RATIO_TARGET,
            notes=notes,
        ),
        Result(
            name="chain_rate",
            value=max(ours),
            unit="pairs/s",
            target=wanted,
            notes=[f"{PAIRS_TARGET:g} where memcpy does {PAIRS_TARGET_MEMCPY_GB_S:g} GB/s; here it does {copied:.1f}"],
        ),
    ]
