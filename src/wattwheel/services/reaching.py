"""How the meter is reached: its address and the rate of its line, as the APP `parameters` says.

The settings say the first address; one that was written later (14H or 15H) comes through the sampling port. Until that
has been heard nobody is answered, or a meter that starts would answer to an address which it has given away; who never
speaks is waited for `ADDRESS_WAIT_NS`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from wattwheel.apex.partition import StartContext
from wattwheel.model.communication_parameters import ADDRESS, LINE_RATE, RATES, address_of
from wattwheel.services.communication_channel import Channel
from wattwheel.services.communication_settings import CommunicationSettings
from wattwheel.services.line_rate import LineRate

PARAMETERS_PORT, PARAMETERS_BIT = "parameters", 7
ADDRESS_WAIT_NS = 2_000_000_000


class Reaching:
    """Address and rates in force. `on_address` is called with each new address, `on_known` when the first is known.

    Attributes:
        is_known: the address is, or nobody is there who could tell it.
    """

    def __init__(
        self,
        context: StartContext,
        settings: CommunicationSettings,
        on_address: Callable[[str], None],
        on_known: Callable[[], None],
    ) -> None:
        self._settings, self._clock = settings, context.clock
        self._on_address, self._on_known = on_address, on_known
        self._address = settings.address
        self._word: int | None = None
        self._line: LineRate | None = None
        self.is_known = not context.has_port(PARAMETERS_PORT)
        if self.is_known:
            return
        self._port = context.sampling_destination(PARAMETERS_PORT)
        context.wheel.task(PARAMETERS_BIT, self._follow)
        self._port.on_message(context.wheel.poster(PARAMETERS_BIT))
        context.wheel.post(PARAMETERS_BIT)
        self._clock.call_at(self._clock.now_ns() + ADDRESS_WAIT_NS, self._know)

    def line(self, channel: Channel) -> None:
        """`channel` is a serial line. The first one has the rate that is a parameter."""
        settings = self._settings
        channel.rate = LineRate(channel, self._clock, settings.line_baud, settings.line_parity)
        if self._line is None:
            self._line = channel.rate
            if settings.rate_change != "kept":  # what an earlier life has set ends here
                channel.rate.apply(settings.line_baud)

    def is_kept_rate(self, rate: LineRate) -> bool:
        """Whether it is the rate that is a parameter."""
        return rate is self._line

    def address(self, address: str) -> None:
        """The meter has got another address."""
        if address != self._address:
            self._address = address
            self._on_address(address)

    def _know(self) -> None:
        if not self.is_known:
            self.is_known = True
            self._on_known()

    def _follow(self) -> None:
        message = self._port.read()[0]
        if message is None:
            return
        values = msgspec.msgpack.decode(message, type=dict[int, bytes])
        if address := address_of(values.get(ADDRESS, b"")):
            self.address(address)
        word = int.from_bytes(values.get(LINE_RATE, b""), "little")
        if self._line is not None and word != self._word and word in RATES:
            self._line.change(RATES[word])
        self._word = word
        self._know()
