"""The meter's buttons on the bus: a press is a PRESS to an identifier of its own, with the button's name as data."""

from __future__ import annotations

INFRARED = "infrared"
"""No button, but it comes the same way: infrared light has fallen on the meter's optical head."""

PRESS_DI = {
    "program": 0x0E200000,
    "up": 0x0E200001,
    "down": 0x0E200002,
    "both": 0x0E200003,
    INFRARED: 0x0E200004,
}
"""Private identifiers under which a button's press travels on the bus."""

HELD_DI = 0x0E200100
"""Private identifier under which the display tells the partition `energy` of a button that was held long."""

NEVER_LET_GO_S = float("inf")
"""A button that is stuck: pressed, and not let go until it is pressed once more."""

HELD_S = (0.0, 3.0, 5.0, NEVER_LET_GO_S)
"""How long a button can be held, as far as anybody cares: behind its name stand none to three `+`."""


def press_data(button: str, held_s: float) -> bytes:
    """What travels on the bus when `button` was held so long."""
    return (button + "+" * sum(held_s >= least for least in HELD_S[1:])).encode()


def pressed(data: bytes) -> tuple[str, float]:
    """The button that `data` names, and how many seconds it was held: one of `HELD_S`."""
    name = data.decode("ascii", "replace")
    button = name.rstrip("+")
    return button, HELD_S[min(len(name) - len(button), len(HELD_S) - 1)]
