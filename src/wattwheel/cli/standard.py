"""Standard input, output and errors that the caller closed, or that nobody reads."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def fill_standard_descriptors() -> None:
    """Let input, output and errors that the caller has closed lead nowhere.

    Else the next files and sockets opened would get their numbers, and what is printed would go into these.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole life
            setattr(sys, name, stream)


def drop(stream: TextIO) -> None:
    """Let what is still buffered for `stream` go nowhere: the interpreter would try it again at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
