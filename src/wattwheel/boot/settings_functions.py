"""Sections of the settings that belong to functions of the partition `energy`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class PulseOutputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where test pulses, and the signals of the multi-function terminal, are written: a line of JSON a pulse.

    Attributes:
        file: path of a file, which is made, or of a named pipe; "" for none.
        file_octets_max: a file that would grow longer is begun anew; the one before it stays beside it as NAME.1.
    """

    file: str = ""
    file_octets_max: Annotated[int, Meta(ge=10_000, le=1_000_000_000)] = 10_000_000


class FeeControlSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fee control: what the meter's relay obeys.

    Attributes:
        mode: "local": energy is charged to a wallet in the meter, which opens the relay when it is used up; "remote":
            only orders of the head-end (1CH) do; "none": there is no relay.
        switch: the relay is in the meter, or a switch outside it.
    """

    mode: Literal["none", "local", "remote"] = "none"
    switch: Literal["built-in", "external"] = "built-in"
