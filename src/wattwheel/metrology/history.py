"""The newest samples, channel by channel, in the counts they came in.

Windows keep views of these octets, so nothing that was written is ever overwritten: when the room is used up, the
part that is still needed moves to new room and the old one lives as long as somebody looks at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.signedinteger]


class History:
    """Samples of `channels` channels from the absolute number `first` up to (not including) `end`."""

    def __init__(self, channels: int, dtype: type[np.signedinteger], room: int) -> None:
        self._room = room
        self._data: Counts = np.empty((channels, room), dtype)
        self._origin = 0  # absolute number of column 0
        self.first = 0
        self.end = 0

    def restart(self, first: int) -> None:
        """Forget everything; the next sample has the absolute number `first`."""
        self._data = np.empty((self._data.shape[0], self._room), self._data.dtype)
        self._origin = self.first = self.end = first

    def append(self, rows: list[Counts]) -> None:
        """Add equally long pieces, one a channel."""
        count = len(rows[0])
        at = self.end - self._origin
        if at + count > self._data.shape[1]:
            at = self._move(count)
        for row, piece in enumerate(rows):
            self._data[row, at : at + count] = piece
        self.end += count

    def _move(self, count: int) -> int:
        kept = self.view(self.first, self.end)
        held = self.end - self.first
        data = np.empty((self._data.shape[0], max(self._room, 2 * (held + count))), self._data.dtype)
        data[:, :held] = kept
        self._data, self._origin = data, self.first
        return held

    def drop_before(self, sample: int) -> None:
        """Let go of everything before the absolute number `sample`."""
        self.first = max(self.first, min(sample, self.end))

    def view(self, start: int, stop: int) -> Counts:
        """Samples `start` up to `stop`, shape (channels, stop - start); a view that stays valid."""
        assert self.first <= start <= stop <= self.end
        return self._data[:, start - self._origin : stop - self._origin]
