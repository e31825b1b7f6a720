"""Commands of fee control that come through the operator's door, and why one is not carried out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.model.purchases import Refusal

REFUSALS = {
    Refusal.REPEATED: "this purchase is booked already",
    Refusal.COUNT_WRONG: "the purchase count must be one more than that of the last purchase",
    Refusal.HOARDING: "the wallet would hold more than it may",
}
WORDS_SHOWN_MAX = 60


def order_fee_control(bus: BusPort, words: str, reply: Callable[[dict[str, Any]], None]) -> None:
    """Let fee control carry out `words`, which are ASCII; `reply` is called once, with `refused` where it was not."""

    def done(message: Message | None) -> None:
        if message is None:
            reply({"refused": f"{words[:WORDS_SHOWN_MAX]!r}: nobody answered"})
        elif message.error:
            why = REFUSALS.get(
                Refusal(message.error), "not with this meter's [fee_control] mode, or not such a command"
            )
            reply({"refused": f"{words[:WORDS_SHOWN_MAX]!r}: {why}"})
        else:
            reply({"done": words})

    if not bus.ask(Control.FEE, 0, words.encode(), done):
        done(None)
