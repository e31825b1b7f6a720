"""The tap of the bus: copies what passes, without secrets, for as long as it is wished."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.bench import Bench, Partner, Puppet, bus_channels

from wattwheel.apex.messages import HEAD_OCTETS, Control, Kind, Message, pack, unpack
from wattwheel.apex.tapping import (
    TAP_WISH_PORT,
    TAPPED_DEPTH,
    TAPPED_OCTETS_MAX,
    TAPPED_PORT,
    WISH_OCTETS_MAX,
    Tapped,
)
from wattwheel.kernel.config import PortEnd, QueuingChannelConfig, SamplingChannelConfig
from wattwheel.services import bus
from wattwheel.services.bus_tap import OPEN_CONTROLS, TAPPED_A_SECOND_MAX, blanked

READ = Control.READ
NAMES = ("asker", "owner")

messages = st.builds(
    Message,
    ticket=st.just(7),
    error=st.just(0),
    origin=st.just(0),
    quality=st.just(0),
    kind=st.integers(0, 255),
    control=st.sampled_from([*map(int, Control), 0x03, 0x14, 0x18, 0x19, 0x1A, 0x1B, 0x1C]),
    di=st.sampled_from([0x04000C01, 0x04000CFF, 0x04000B01, 0x02010100, 0]),
    data=st.binary(max_size=40).map(lambda octets: bytes(octet | 1 for octet in octets)),
)


@given(st.lists(messages, max_size=6), st.binary(max_size=15))
def test_secrets_and_what_is_no_message_are_blanked_and_nothing_else(sent, rest):
    octets = b"".join(map(pack, sent)) + rest
    shown = blanked(octets)
    assert len(shown) == len(octets)
    assert shown[len(octets) - len(rest) :] == bytes(len(rest))
    for before, after in zip(sent, unpack(shown[: len(octets) - len(rest)]), strict=True):
        is_secret = before.control not in OPEN_CONTROLS or before.di >> 8 == 0x04000C
        assert after == (before._replace(data=bytes(len(before.data))) if is_secret else before)


def test_a_message_that_claims_more_than_is_there_is_blanked_behind_its_head():
    octets = pack(Message(Kind.REQUEST, READ, 0, data=b"secret"))[:-1]
    assert blanked(octets) == bytes(len(octets))


class Listener(Puppet):
    """The kernel's side of a tap."""

    def __init__(self) -> None:
        super().__init__(self._begin)
        self.heard: list[Tapped] = []

    def _begin(self, context):
        self._wish = context.sampling_source(TAP_WISH_PORT)
        self._port = context.queuing_destination(TAPPED_PORT)
        context.wheel.task(9, self._take)
        self._port.on_message(context.wheel.poster(9))

    def _take(self):
        octets = self._port.receive()
        if octets is not None:
            self.heard.append(msgspec.msgpack.decode(octets, type=Tapped))
            self._port.done()

    def wish(self, *channels):
        self._wish.write(msgspec.json.encode(channels))


class Tapping:
    """A bus between an asker and an owner, and a listener."""

    def __init__(self) -> None:
        self.listener, self.bus = Listener(), Puppet(bus.start)
        self.asker, self.owner = Partner(None), Partner(lambda request: (request.data, 0))
        document = {
            "partners": NAMES,
            "routes": [{"control": READ, "prefix": "00", "owner": "owner"}],
            "rights": dict.fromkeys(NAMES, (READ,)),
        }
        wish = SamplingChannelConfig(
            TAP_WISH_PORT,
            PortEnd("listener", TAP_WISH_PORT),
            (PortEnd("bus", TAP_WISH_PORT),),
            WISH_OCTETS_MAX,
            ("bus",),
        )
        tapped = QueuingChannelConfig(
            TAPPED_PORT,
            PortEnd("bus", TAPPED_PORT),
            (PortEnd("listener", TAPPED_PORT),),
            TAPPED_OCTETS_MAX,
            TAPPED_DEPTH,
        )
        entries = {"bus": self.bus, "asker": self.asker, "owner": self.owner, "listener": self.listener}
        self.bench = Bench(entries, (*bus_channels(NAMES, 32), tapped), sampling=(wish,), settings={"bus": document})
        self.bench.run()

    def ask(self, data):
        self.asker.ask(READ, 0x00010000, data)
        self.bench.run()

    def heard(self):
        taken, self.listener.heard = self.listener.heard, []
        return [(each.channel, [message.data for message in unpack(each.octets)]) for each in taken]


def test_what_passes_is_copied_while_it_is_wished_and_reaches_its_owner():
    tapping = Tapping()
    tapping.ask(b"one")
    assert tapping.heard() == []
    tapping.listener.wish("asker>bus", "bus>owner", "nobody>bus")
    tapping.bench.run()
    tapping.ask(b"two")
    assert tapping.heard() == [("asker>bus", [b"two"]), ("bus>owner", [b"two"])]
    tapping.listener.wish()
    tapping.bench.run()
    tapping.ask(b"three")
    assert tapping.heard() == []
    assert [reply.data for _, reply in tapping.asker.replies] == [b"one", b"two", b"three"]


def test_a_tap_is_bounded_and_says_what_it_left_out():
    tapping = Tapping()
    tapping.listener.wish("asker>bus")
    tapping.bench.run()
    for number in range(TAPPED_A_SECOND_MAX + 50):
        tapping.asker.ask(READ, 0x00010000, bytes([number & 0xFF]))
        tapping.bench.run(0.0)
    assert len(tapping.listener.heard) <= TAPPED_A_SECOND_MAX
    tapping.bench.run(2.0)
    tapping.ask(b"later")
    last = tapping.listener.heard[-1]
    assert last.left_out == TAPPED_A_SECOND_MAX + 50 - (len(tapping.listener.heard) - 1)
    assert len(last.octets) == HEAD_OCTETS + 5
