"""Lines for people, from processes that neither wait for a reader nor end because he has gone."""

from __future__ import annotations

import os
import select

STANDARD_ERROR = 2
LINE_OCTETS_MAX = select.PIPE_BUF
"""A pipe that is ready takes so many octets at once; the rest of a longer line is cut off."""


def print_line(descriptor: int, text: str) -> bool:
    """Write `text` and a line feed to `descriptor`. False: nobody takes it now, and it is dropped."""
    octets = text.encode(errors="backslashreplace")[: LINE_OCTETS_MAX - 1] + b"\n"
    poll = select.poll()
    try:
        poll.register(descriptor, select.POLLOUT)
        return bool(poll.poll(0)) and os.write(descriptor, octets) == len(octets)
    except (OSError, ValueError):
        return False
