"""The panel of `wattwheel lcd`: the glass and the buttons in a Textual application. Needs the extra "tui"."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Button, Footer, Static

from wattwheel.cli.lcd_glass import COLUMNS, Cell, Ink, glass
from wattwheel.model.display import BLANK, Lcd
from wattwheel.model.errors import WattwheelError

LOOK_S = 0.5
"""How often the meter is asked; what blinks changes as often."""

HOLDS_S = (0.0, 3.0, 5.0)
"""How long a press can last."""

BUTTONS = (("up", "▲ Up"), ("down", "▼ Down"), ("both", "▲▼ Both"), ("program", "✎ Program"))

_INKS = {
    "dark": {Ink.NONE: "#87927c", Ink.OFF: "#848f79", Ink.ON: "#848f79"},
    "unlit": {Ink.NONE: "#b3bda6", Ink.OFF: "#a6b099", Ink.ON: "#1c2521"},
    "lit": {Ink.NONE: "#d3e5a9", Ink.OFF: "#c5d69b", Ink.ON: "#1c2521"},
}
"""Colours of the glass without supply, without and with its back light."""


def picture(lcd: Lcd, is_blink_on: bool) -> Text:
    """The glass in colours."""
    inks = _INKS["dark" if lcd.dark else "lit" if lcd.lit else "unlit"]
    ground = inks[Ink.NONE]

    def style(cell: Cell) -> Style:
        if cell.character == "▀":
            return Style(color=inks[cell.upper], bgcolor=inks[cell.lower])
        return Style(color=inks[cell.lower], bgcolor=ground)

    text = Text(no_wrap=True)
    for number, line in enumerate(glass(lcd, is_blink_on)):
        text.append("\n" if number else "")
        for cell in line:
            text.append(cell.character, style(cell))
    return text


class Panel(App[None]):
    """The display of one meter. `look`: what it shows; `press`: press a button so long; both may raise, and wait."""

    TITLE = "wattwheel"
    ENABLE_COMMAND_PALETTE = False
    CSS = f"""
    Screen {{ align: center middle; }}
    #meter {{ width: {COLUMNS}; height: auto; background: #2b3134; }}
    #glass {{ width: {COLUMNS}; height: auto; }}
    #title {{ width: 100%; height: 2; margin-top: 1; padding: 0 1; color: #dfe5e0; }}
    #note {{ width: 100%; height: 1; padding: 0 1; color: #e6b84a; }}
    #buttons {{ height: 3; margin-top: 1; }}
    #buttons Button {{ width: 1fr; margin: 0 1; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "press('up')", "Up", priority=True),
        Binding("down", "press('down')", "Down", priority=True),
        Binding("b", "press('both')", "Both"),
        Binding("p", "press('program')", "Program"),
        Binding("h", "hold", "Hold"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, look: Callable[[], Lcd], press: Callable[[str, float], None]) -> None:
        super().__init__()
        self._look, self._press = look, press
        self._shown = BLANK
        self._is_blink_on = True
        self.held_s = HOLDS_S[0]
        self.looking: Timer | None = None

    def compose(self) -> ComposeResult:
        """Glass, words and buttons."""
        with Vertical(id="meter"):
            yield Static(id="glass")
            yield Static(id="title", markup=False)
            yield Static(id="note", markup=False)
            with Horizontal(id="buttons"):
                for name, label in BUTTONS:
                    yield Button(label, id=name)
        yield Footer()

    async def on_mount(self) -> None:
        """Show the display, now and from now on."""
        await self.refresh_glass()
        self.looking = self.set_interval(LOOK_S, self.refresh_glass)

    async def refresh_glass(self) -> None:
        """Ask the meter and draw; a meter that has gone leaves its last words, marked as old."""
        try:
            self._shown = await asyncio.to_thread(self._look)
            self._say("")
        except WattwheelError as error:
            self._shown = BLANK
            self._say(str(error))
        self._is_blink_on = not self._is_blink_on or not self._shown.blinking
        self.query_one("#glass", Static).update(picture(self._shown, self._is_blink_on))
        self.query_one("#title", Static).update(self._shown.title)

    def _say(self, words: str) -> None:
        held = f"The next press lasts {self.held_s:.0f} s." if self.held_s else ""
        self.query_one("#note", Static).update(words or held)

    async def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button on the panel is one on the meter."""
        assert event.button.id is not None
        await self.action_press(event.button.id)

    async def action_press(self, button: str) -> None:
        """Press a button of the meter, as long as was chosen."""
        held_s, self.held_s = self.held_s, HOLDS_S[0]
        try:
            await asyncio.to_thread(self._press, button, held_s)
        except WattwheelError as error:
            self._say(str(error))
            return
        await self.refresh_glass()

    def action_hold(self) -> None:
        """Choose how long the next press lasts."""
        self.held_s = HOLDS_S[(HOLDS_S.index(self.held_s) + 1) % len(HOLDS_S)]
        self._say("")
