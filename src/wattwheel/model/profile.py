"""What a meter of the 2020 profile does otherwise ([meter] profile), as the owner of the parameters tells everybody.

Pure. In the 2007 profile nothing of this is told: whoever finds none of it follows the rules of 2007.
"""

from __future__ import annotations

from collections.abc import Mapping

PROFILE_DI = 0x0E600000
"""Private: the year of the profile, BCD; only told where it is not 2007."""

YEAR_2020 = b"\x20\x20"
TARIFFS_MAX_2020, HOLIDAYS_MAX_2020 = 12, 20

_COPIED_DI = 0x0E610000


def is_2020(parameters: Mapping[int, bytes] | None) -> bool:
    """Whether whoever told `parameters` follows the 2020 profile."""
    return parameters is not None and parameters.get(PROFILE_DI) == YEAR_2020


def copied_di(switch: int) -> int:
    """Private: the switch-over instant, written as the parameter `switch` (04000106 to 04000109), whose standby set was
    copied last."""
    return _COPIED_DI | switch & 0xFF


def after_copy(running: int, executed: bytes, switch: int, parameters: Mapping[int, bytes]) -> tuple[int, bytes]:
    """Running set of a pair (0 or 1) and instant executed last, once `parameters` say which standby set was copied.

    With the copy the first set holds what the second one held, so it runs again, and nothing that is in force changes.
    A copy of an instant that is not known here was made for one that a cut has made forgotten: it was executed.
    """
    copied = parameters.get(copied_di(switch), b"")
    is_done = bool(copied) and (not running or copied == executed)
    return (0, copied) if is_done else (running, executed)
