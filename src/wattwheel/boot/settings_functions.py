"""Sections of the settings that belong to functions of the partition `energy`."""

from __future__ import annotations

from typing import Literal

import msgspec


class FeeControlSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fee control: what the meter's relay obeys.

    Attributes:
        mode: "local": energy is charged to a wallet in the meter, which opens the relay when it is used up; "remote":
            only orders of the head-end (1CH) do; "none": there is no relay.
        switch: the relay is in the meter, or a switch outside it.
    """

    mode: Literal["none", "local", "remote"] = "none"
    switch: Literal["built-in", "external"] = "built-in"
