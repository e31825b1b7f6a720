"""The fundamental: one bin of a Fourier transform over the window's whole cycles, and what follows from the phasors.

The turning pointer e^(-j w k) of a few thousand samples is the product of a short fine one (64 samples) and a coarse
one. The fine one is rounded to integers, so the inner sums over 64 samples are exact and only the few coarse terms
are added in floating point, always in the same order.
"""

from __future__ import annotations

import cmath
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Phasors = NDArray[np.complex128]

PIECE = 64
"""Samples that one step of the coarse pointer spans."""

POINTER_SCALE = 1 << 22
"""The fine pointer in integers: 24-bit counts x pointer x 64 samples stay below 2**53."""

_THIRD = cmath.exp(2j * math.pi / 3.0)


class Probe:
    """Finds one spectral line of every channel, and the plain sums, in a single pass."""

    def __init__(self, channels: int) -> None:
        self._fine_at = np.arange(PIECE, dtype=np.float64)
        self._fine: Floats = np.zeros((4, PIECE))  # cosine, sine, one, nothing: two complex columns
        self._fine[2] = 1.0
        self._fine_columns = self._fine.T
        self._coarse_at: Phasors = np.zeros(1, np.complex128)
        self._rows: Floats = np.empty((channels, 1, 4))

    @staticmethod
    def padded(count: int) -> int:
        """Samples of room that `count` samples need."""
        return -(-count // PIECE) * PIECE

    def both(
        self, work: Floats, count: int, weighted_edges: Floats, turns_per_sample: float
    ) -> tuple[list[float], list[complex]]:
        """Sum of every channel, and its sum turned back by `turns_per_sample`.

        `work`: inner samples, padded with zeros; `weighted_edges`: the 4 + 4 samples beside the ends times weight.
        """
        angle = -2.0 * math.pi * turns_per_sample
        pieces = self.padded(count) // PIECE
        if self._rows.shape[1] != pieces:
            self._coarse_at = np.zeros(pieces, np.complex128)
            self._coarse_at.imag = np.arange(pieces)
            self._rows = np.empty((len(work), pieces, 4))
        fine, turning, rows = self._fine, self._fine[:2], self._rows
        np.multiply(self._fine_at, angle, out=fine[1])
        np.cos(fine[1], out=fine[0])
        np.sin(fine[1], out=fine[1])
        np.multiply(turning, POINTER_SCALE, out=turning)
        np.rint(turning, out=turning)
        np.matmul(work[:, : pieces * PIECE].reshape(len(work), pieces, PIECE), self._fine_columns, out=rows)
        coarse = np.exp(self._coarse_at * (angle * PIECE))
        inner = np.add.reduce(rows.view(np.complex128)[:, :, 0] * coarse, axis=1).tolist()
        plain = np.add.reduce(rows[:, :, 2], axis=1).tolist()
        # The ends: four samples from the first one on, four from `count` on.
        borders = (
            np.matmul(weighted_edges.reshape(len(work), 2, 4), self._fine_columns[:4]).view(np.complex128).tolist()
        )
        behind = cmath.exp(1j * angle * count)
        first = [total + before[1].real + after[1].real for total, (before, after) in zip(plain, borders, strict=True)]
        lines = [
            (total + before[0] + after[0] * behind) / POINTER_SCALE
            for total, (before, after) in zip(inner, borders, strict=True)
        ]
        return first, lines


def harmonics(
    work: Floats, count: int, edges: Floats, edge_weights: Floats, turns_per_sample: float, orders: int
) -> Phasors:
    """Complex sums of the orders 1..`orders` of every channel, shape (channels, orders). For display, not for
    energy."""
    angle = -2.0 * math.pi * turns_per_sample
    pieces = Probe.padded(count) // PIECE
    order = np.arange(1.0, orders + 1.0)
    fine = np.exp(1j * angle * np.outer(np.arange(PIECE), order))
    coarse = np.exp(1j * angle * PIECE * np.outer(np.arange(pieces), order))
    rows = work[:, : pieces * PIECE].reshape(len(work), pieces, PIECE)
    inner = ((rows @ fine.real + 1j * (rows @ fine.imag)) * coarse).sum(axis=1)
    at = np.concatenate((np.arange(4), np.arange(4) + count))
    border = np.exp(1j * angle * np.outer(at, order)) * edge_weights[:, None]
    return np.asarray(inner + edges @ border)


def sequence_components(a: complex, b: complex, c: complex) -> tuple[complex, complex, complex]:
    """Zero, positive and negative sequence component of three phasors."""
    return (
        (a + b + c) / 3.0,
        (a + _THIRD * b + _THIRD.conjugate() * c) / 3.0,
        (a + _THIRD.conjugate() * b + _THIRD * c) / 3.0,
    )


def unbalance(phasors: Sequence[complex]) -> float | None:
    """Negative over positive sequence component, the smaller over the larger, of three phasors; None without any."""
    _, positive, negative = (abs(part) for part in sequence_components(*phasors))
    larger = max(positive, negative)
    return min(positive, negative) / larger if larger > 0.0 else None


def is_reversed(phasors: Sequence[complex]) -> bool:
    """True when three phasors turn a-c-b."""
    _, positive, negative = (abs(part) for part in sequence_components(*phasors))
    return negative > positive
