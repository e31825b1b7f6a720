"""`wattwheel fee`: the wallet of a prepaid meter, and the contact of its relay."""

from __future__ import annotations

import click

ORDERS = ("open-wallet", "recharge", "refund", "relay-contact")


@click.command(short_help="Pay into a running meter's wallet, or out of it.")
@click.argument("order", metavar="|".join(ORDERS), type=click.Choice(ORDERS))
@click.argument("values", nargs=-1, required=True)
@click.option("--state", metavar="DIR", help="State folder of the meter; without it the default one.")
def fee(order: str, values: tuple[str, ...], state: str | None) -> int:
    """Pay, and say what the relay's contact measures.

    \b
    open-wallet AMOUNT             make the wallet anew, with AMOUNT in it
    recharge AMOUNT COUNT          purchase number COUNT, one more than the last
    refund AMOUNT                  pay out, down to nothing
    relay-contact open|closed|follow
                                   what is measured; follow: what it should be
    """
    from wattwheel.boot.control import order_fee_control

    order_fee_control(state, " ".join((order, *values)))
    return 0
