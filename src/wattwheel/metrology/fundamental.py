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

    def __init__(self) -> None:
        self._fine_at = np.arange(PIECE, dtype=np.float64)
        self._fine: Floats = np.zeros((PIECE, 4))
        self._fine[:, 2] = 1.0
        self._coarse_at: Floats = np.arange(1.0)
        self._coarse: Phasors = np.empty(1, np.complex128)
        self._edge_at: Floats = np.empty(8)
        self._edge: Floats = np.zeros((8, 4))

    @staticmethod
    def padded(count: int) -> int:
        """Samples of room that `count` samples need."""
        return -(-count // PIECE) * PIECE

    def both(
        self, work: Floats, count: int, edges: Floats, edge_weights: Floats, turns_per_sample: float
    ) -> tuple[Floats, Phasors]:
        """Sum of every channel, and its sum turned back by `turns_per_sample`.

        `work`: inner samples, padded with zeros; `edges`: the 4 + 4 samples beside the ends, weighted by
        `edge_weights`.
        """
        angle = -2.0 * math.pi * turns_per_sample
        pieces = self.padded(count) // PIECE
        fine, coarse = self._fine, self._pointer(pieces, angle * PIECE)
        turned = self._fine_at * angle
        np.cos(turned, out=fine[:, 0])
        np.sin(turned, out=fine[:, 1])
        fine[:, :2] *= POINTER_SCALE
        np.rint(fine, out=fine)
        rows = work[:, : pieces * PIECE].reshape(len(work), pieces, PIECE) @ fine
        parts = rows.view(np.complex128)  # (channels, pieces, 2): turned sum, plain sum
        edge = self._edge_pointer(count, angle, edge_weights)
        borders = (edges @ edge).view(np.complex128)
        lines = (parts[:, :, 0] * coarse).sum(axis=1) / POINTER_SCALE + borders[:, 0]
        plain = rows[:, :, 2].sum(axis=1) + borders[:, 1].real
        return plain, lines

    def _pointer(self, pieces: int, angle: float) -> Phasors:
        if len(self._coarse_at) < pieces:
            self._coarse_at = np.arange(float(pieces))
            self._coarse = np.empty(pieces, np.complex128)
        turned = self._coarse_at[:pieces] * angle
        coarse = self._coarse[:pieces]
        np.cos(turned, out=coarse.real)
        np.sin(turned, out=coarse.imag)
        return coarse

    def _edge_pointer(self, count: int, angle: float, weights: Floats) -> Floats:
        at, edge = self._edge_at, self._edge
        at[:4] = self._fine_at[:4]
        at[4:] = self._fine_at[:4] + count
        turned = at * angle
        np.cos(turned, out=edge[:, 0])
        np.sin(turned, out=edge[:, 1])
        edge[:, 2] = 1.0
        edge *= weights[:, None]
        return edge


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
