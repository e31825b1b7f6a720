"""What the operator may say to fee control: `recharge 50 1` and the like, in words parted by one blank. Pure."""

from __future__ import annotations

import re

OPEN_WALLET, RECHARGE, REFUND, RELAY_CONTACT = "open-wallet", "recharge", "refund", "relay-contact"
CONTACTS: dict[str, bool | None] = {"open": True, "closed": False, "follow": None}
"""What the relay's contact is said to measure; None: what it should be."""

AMOUNT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,2})?")
_COUNT = re.compile(r"[0-9]{1,4}")
_AMOUNT_WORDS = "AMOUNT: up to 999999.99, at most 2 decimals"
_FORMS: dict[str, tuple[tuple[re.Pattern[str], ...], str]] = {
    OPEN_WALLET: ((AMOUNT,), f"{OPEN_WALLET} AMOUNT ({_AMOUNT_WORDS})"),
    RECHARGE: ((AMOUNT, _COUNT), f"{RECHARGE} AMOUNT COUNT ({_AMOUNT_WORDS}; COUNT: 0 to 9999)"),
    REFUND: ((AMOUNT,), f"{REFUND} AMOUNT ({_AMOUNT_WORDS})"),
    RELAY_CONTACT: ((re.compile("|".join(CONTACTS)),), f"{RELAY_CONTACT} {'|'.join(CONTACTS)}"),
}
ORDERS = tuple(_FORMS)


def allowed_instead(words: object) -> str | None:
    """What would be allowed in place of `words`, for a sentence; None: they are an order."""
    order, *values = words.split(" ") if isinstance(words, str) else ("",)
    if order not in _FORMS:
        return ", ".join(ORDERS)
    patterns, form = _FORMS[order]
    fits = len(values) == len(patterns)
    fits = fits and all(pattern.fullmatch(value) for pattern, value in zip(patterns, values, strict=True))
    return None if fits else form
