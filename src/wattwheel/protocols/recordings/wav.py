"""WAV files as recordings: channels 1, 2, ... in parts of full scale, without a unit.

PCM of 8 to 32 bits and IEEE floats of 32 and 64 bits, plain and extensible format.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wattwheel.model.errors import RecordingError
from wattwheel.protocols.recordings.recording import Channel, Recording, Section, checked_rate, uniform_times

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
"""Format tags that can be read."""

SIZE_UNKNOWN = (0, 0xFFFFFFFF)
"""Data sizes that a recorder leaves which could not go back to fill them in."""

WAV_CHANNELS_MAX = 256
"""More channels than this in a header are taken as damage."""


def read_wav(file: str, octets: bytes, rate_hz: float | None = None) -> Recording:
    """The recording in a RIFF/WAVE file; `rate_hz` overrides the header's rate. RecordingError for anything else."""
    if len(octets) < 12 or octets[:4] != b"RIFF" or octets[8:12] != b"WAVE":
        raise RecordingError(file, "does not start with RIFF and WAVE; this is not a WAV file")
    tag, channels, rate, bits, data = _chunks(file, octets)
    if not 1 <= channels <= WAV_CHANNELS_MAX:
        raise RecordingError(file, f"{channels} channels; allowed: 1 to {WAV_CHANNELS_MAX}")
    frame = channels * (bits // 8)
    count = len(data) // frame if frame else 0
    if not count:
        raise RecordingError(file, "holds no samples; the file is cut, copy it again")
    raw, scale, offset = _samples(file, tag, bits, data[: count * frame])
    table = raw.reshape(count, channels)
    used = checked_rate(file, rate if rate_hz is None else rate_hz, "format chunk" if rate_hz is None else "--rate")
    return Recording(
        file,
        f"WAV {bits} bit" + (" float" if tag == FLOAT else ""),
        tuple(Channel(str(k + 1), "1", "", table[:, k], scale=scale, offset=offset) for k in range(channels)),
        uniform_times(count, used),
        (Section(0, count, used),),
    )


def _chunks(file: str, octets: bytes) -> tuple[int, int, float, int, bytes]:
    """Format tag, channels, rate, bits and the octets of the data chunk."""
    at, form = 12, None
    while at + 8 <= len(octets):
        name, size = octets[at : at + 4], int.from_bytes(octets[at + 4 : at + 8], "little")
        body = octets[at + 8 : at + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if tag == EXTENSIBLE and len(body) >= 26:
                tag = int.from_bytes(body[24:26], "little")
            form = tag, channels, float(rate), bits
        elif name == b"data":
            if form is None:
                raise RecordingError(file, "no format chunk before the data; the file is damaged")
            if size in SIZE_UNKNOWN:
                body = octets[at + 8 :]
            elif len(body) < size:
                raise RecordingError(
                    file, f"ends after {len(body)} of {size} octets of samples; the file is cut, copy it again"
                )
            return (*form, body)
        at += 8 + size + (size & 1)
    raise RecordingError(file, "no chunk of samples; the file is cut, copy it again")


def _samples(file: str, tag: int, bits: int, data: bytes) -> tuple[NDArray[Any], float, float]:
    """Raw samples, interleaved, with scale and offset to parts of full scale."""
    if tag == FLOAT and bits in (32, 64):
        return np.frombuffer(data, dtype=f"<f{bits // 8}"), 1.0, 0.0
    if tag != PCM or bits not in (8, 16, 24, 32):
        raise RecordingError(
            file, f"format {tag} with {bits} bits; allowed: PCM (1) of 8, 16, 24, 32 or float (3) of 32, 64 bits"
        )
    if bits == 8:  # the only unsigned one
        return np.frombuffer(data, dtype=np.uint8), 1 / 128, -1.0
    if bits == 24:
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
        return wide.view("<i4").reshape(-1) >> 8, 2.0**-23, 0.0
    return np.frombuffer(data, dtype=f"<i{bits // 8}"), 2.0 ** (1 - bits), 0.0
