"""Communication: octet channels outside, the virtual bus inside.

A channel's octets become frames, frames pass the legality table, and what is accepted is asked on the bus, or taken
from a snapshot that its owner has published and whose age is checked. Each channel keeps its own follow-up state
and its own order of replies: whatever comes back first, a channel hears its answers in the order of its questions,
and what an answer does to the follow-up state happens in that order too.

A channel that asks faster than it can be answered is not read until there is room again: its octets wait in the driver
and then, where the wire can say so, with the far end. Nothing of it is dropped, and the others do not notice.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from wattwheel.apex.bus import BusPort
from wattwheel.apex.messages import Control, Message
from wattwheel.apex.partition import StartContext
from wattwheel.hil.octets import Listener, OctetChannel
from wattwheel.model.catalogue import item_2007
from wattwheel.model.errors import LocalProtocolError, UnknownItem
from wattwheel.model.reporting import STATUS_DI as REPORT_STATUS_DI
from wattwheel.protocols.dlt645.frame import Frame, Station
from wattwheel.protocols.dlt645.functions import ERR_NO_DATA, ERR_OTHER, ERR_PASSWORD, Function2007
from wattwheel.protocols.dlt645.items import element_widths
from wattwheel.protocols.dlt645.legality import AbnormalReply, Accept, Legality, Silence, abnormal_reply
from wattwheel.services.changing import Changing
from wattwheel.services.communication_channel import Act, Channel, Slot
from wattwheel.services.communication_settings import ChannelSettings, CommunicationSettings
from wattwheel.services.load_reading import LOAD_DI3, LoadReading
from wattwheel.services.reaching import Reaching
from wattwheel.services.snapshot import Snapshot
from wattwheel.services.writing import ANSWER_TIMEOUT_NS, INTERNAL_DI3, Writing

CHANNEL_BIT, BUS_BIT = 6, 4
HEARD_A_TURN_MAX = 65_536  # octets; then replies from the bus have their turn, which would be late otherwise
SERVED_A_TURN_MAX = 512  # held frames, likewise
UNREAD_LOOK_NS = 20_000_000
SNAPSHOT_PORT = "snapshot"

READ = int(Control.READ)
READ_REPLY = Function2007.READ | 0x80
READ_REFUSAL = Function2007.READ | 0xC0
ADDRESS_REPLY = Function2007.READ_ADDRESS | 0x80


class Communication:
    """The service: frames in, bus requests out, and back."""

    def __init__(self, context: StartContext, settings: CommunicationSettings) -> None:
        self.settings = settings
        self._clock = context.clock
        self._counters = context.counters
        self._bus = BusPort(context, BUS_BIT, settings.asks_under_way)
        self._bus.on_room(self._go_on)
        self._writing = Writing(self._bus, self._clock, self._counters, settings.unknown_write_error)
        self._load_reading = LoadReading(self._bus, self._clock, settings.max_reply_data)
        self._held: dict[Channel, None] = {}  # not read for the time being, the longest first
        self._is_looking = False
        self._set_address(settings.address)
        self._snapshot: Snapshot | None = None
        if settings.reads == "snapshot":
            port = context.sampling_destination(SNAPSHOT_PORT)
            self._snapshot = Snapshot(port, self._clock.now_ns, settings.snapshot_age_max_ns)
        self._channels: set[Channel] = set()
        self._ready: dict[Channel, None] = {}
        self._post = context.wheel.poster(CHANNEL_BIT)
        context.wheel.task(CHANNEL_BIT, self._drain)
        self._reaching = Reaching(context, settings, self._set_address, self._post)
        is_rate_kept = settings.rate_change == "kept"
        self._changing = Changing(self, self._writing, self._reaching, self._counters, is_rate_kept)
        for name in settings.listeners:
            cast(Listener, context.device(name)).on_connection(self._connect)
        for name in settings.lines:
            self._reaching.line(self._attach(cast(OctetChannel, context.device(name)), settings.serial))

    def _set_address(self, address: str) -> None:
        self._station = Station(address)
        self._legality = Legality(address, self.settings.options)

    def _connect(self, octets: OctetChannel) -> None:
        if len(self._channels) >= self.settings.connections_max + len(self.settings.lines):
            self._counters.add("connections_refused")
            octets.close()
            return
        self._counters.add("connections")
        self._attach(octets, self.settings.tcp)

    def _attach(self, octets: OctetChannel, settings: ChannelSettings) -> Channel:
        channel = Channel(octets, settings, self.settings)
        self._channels.add(channel)
        ready, post = self._ready, self._post

        def arrived() -> None:
            ready[channel] = None
            post()

        channel.arrived = arrived
        octets.on_arrival(arrived)
        return channel

    def _drain(self) -> None:
        ready, heard = self._ready, 0
        while ready and self._reaching.is_known:
            if heard >= HEARD_A_TURN_MAX:
                self._clock.call_at(self._clock.now_ns(), self._post)
                return
            channel = next(iter(ready))
            del ready[channel]
            if channel.waiting:
                continue
            octets = channel.octets.read()
            heard += len(octets)
            if octets:
                self.hear(channel, octets)
            elif channel.octets.is_closed:
                channel.is_ending = True
                self._end_if_answered(channel)
            if channel.octets.dropped != channel.dropped:
                self._counters.add("octets_dropped", channel.octets.dropped - channel.dropped)
                channel.dropped = channel.octets.dropped

    def hear(self, channel: Channel, octets: bytes) -> None:
        """Take octets that have come through `channel`."""
        reader = channel.reader
        self._serve_all(channel, reader.feed(octets))
        if reader.examined != channel.examined:
            self._count_rejected(channel)
        if reader.held:
            channel.heard_ns = self._clock.now_ns()
            if not channel.is_waiting_for_rest:
                channel.is_waiting_for_rest = True
                due_ns = channel.heard_ns + self.settings.half_frame_timeout_ns
                self._clock.call_at(due_ns, partial(self._give_up_half_frame, channel))

    def _serve_all(self, channel: Channel, frames: list[Frame]) -> None:
        """Serve `frames` while there is room for questions; keep the rest and do not read the channel until then."""
        has_room = self._bus.has_room
        for number, frame in enumerate(frames):
            if channel.is_full or not has_room():
                self._counters.add("channels_held")
                channel.octets.on_arrival(None)
                channel.waiting.extend(frames[number:])
                self._held[channel] = None
                self._look_later()
                return
            self._serve(channel, frame)

    def _go_on(self) -> None:
        """Serve what was held as far as there is room again: of each channel one frame, then the next has its turn."""
        held, has_room = self._held, self._bus.has_room
        served = full = 0  # full: channels one after the other that have enough questions under way
        while full < len(held) and served < SERVED_A_TURN_MAX and has_room():
            channel = next(iter(held))
            del held[channel]
            if channel.is_full:
                full += 1
            else:
                full, served = 0, served + 1
                self._serve(channel, channel.waiting.popleft())
            if channel.waiting:
                held[channel] = None
            else:
                channel.heard_ns = self._clock.now_ns()  # nobody has listened until now
                channel.octets.on_arrival(channel.arrived)

    def _look_later(self) -> None:
        """Nobody tells when a far end takes its answers."""
        if not self._is_looking:
            self._is_looking = True
            self._clock.call_at(self._clock.now_ns() + UNREAD_LOOK_NS, self._look)

    def _look(self) -> None:
        self._is_looking = False
        self._go_on()
        if self._held:
            self._look_later()

    def _count_rejected(self, channel: Channel) -> None:
        channel.examined = channel.reader.examined
        for why, before in channel.rejected.items():
            now = getattr(channel.reader, why)
            if now != before:
                self._counters.add(f"rejected_{why}", now - before)
                channel.rejected[why] = now

    def _give_up_half_frame(self, channel: Channel) -> None:
        if channel.waiting:
            channel.heard_ns = self._clock.now_ns()
        due_ns = channel.heard_ns + self.settings.half_frame_timeout_ns
        if channel.reader.held and self._clock.now_ns() >= due_ns and (octets := channel.octets.read()):
            self.hear(channel, octets)  # the line was not silent: it was this process that was late
            due_ns = channel.heard_ns + self.settings.half_frame_timeout_ns
        if channel.reader.held and self._clock.now_ns() < due_ns:
            self._clock.call_at(due_ns, partial(self._give_up_half_frame, channel))
            return
        channel.is_waiting_for_rest = False
        channel.arrived()  # it may have read the end, which is told once
        if channel.reader.held:
            self._counters.add("half_frames")
            self._serve_all(channel, channel.reader.expire())
            self._count_rejected(channel)

    def _serve(self, channel: Channel, frame: Frame) -> None:
        decision = self._legality.judge(frame)
        if type(decision) is Accept:
            if decision.function is Function2007.READ:
                self._read(channel, frame.data)
            else:
                _OTHER_FUNCTIONS.get(decision.function, Communication._not_here)(self, channel, frame, decision)
        elif type(decision) is Silence:
            self._counters.add(f"silent_{decision.why}")
        elif type(decision) is AbnormalReply:
            self._counters.add("abnormal")
            self._refuse_in_turn(channel, decision)

    def _read(self, channel: Channel, data: bytes) -> None:
        slots = channel.slots
        if self._snapshot is not None and len(data) == 4:
            octets = self._snapshot.octets(int.from_bytes(data, "little"))
            if octets is not None:
                self._counters.add("reads_from_snapshot")
                if slots:
                    slots.append([partial(self._answer_read, channel, data, octets)])
                else:
                    self._answer_read(channel, data, octets)
                return
        if data[3] == INTERNAL_DI3:
            self.in_turn(channel, partial(self._refuse_read, channel, data, ERR_NO_DATA))
            return
        slot: Slot = []
        slots.append(slot)
        di, number = data[:4], int.from_bytes(data[:4], "little")
        on_reply = partial(self._on_reply, channel, slot, di)
        if data[3] == LOAD_DI3 and len(data) > 4:
            asked = self._load_reading.ask(number, data[4:], on_reply, ANSWER_TIMEOUT_NS)
        else:
            asked = self._bus.ask(READ, number, data[4:], on_reply, ANSWER_TIMEOUT_NS)
        if not asked:
            self._on_reply(channel, slot, di, None)

    def _on_reply(self, channel: Channel, slot: Slot, di: bytes, reply: Message | None) -> None:
        slots = channel.slots
        if slots[0] is not slot:
            slot.append(partial(self._conclude_read, channel, di, reply))
            return
        slots.popleft()
        self._conclude_read(channel, di, reply)
        self.answer_in_order(channel)

    def answer_in_order(self, channel: Channel) -> None:
        """Send the answers that are there, up to the first question that is still open."""
        slots = channel.slots
        while slots and slots[0]:
            slots.popleft()[0]()
        if channel.is_ending:
            self._end_if_answered(channel)

    def _end_if_answered(self, channel: Channel) -> None:
        """Close a channel whose far end asks nothing more, once its last answer has gone out."""
        if channel.slots or channel.waiting or channel not in self._channels:
            return
        self._channels.discard(channel)
        if channel.delay_ns:
            self._clock.call_at(self._clock.now_ns() + channel.delay_ns, channel.octets.close)
        else:
            channel.octets.close()

    def _conclude_read(self, channel: Channel, di: bytes, reply: Message | None) -> None:
        if reply is None:
            self._counters.add("reads_unanswered")
            self._refuse_read(channel, di, ERR_OTHER)
        elif reply.error:
            self._counters.add("reads_refused")
            self._refuse_read(channel, di, reply.error)
        elif reply.di != int.from_bytes(di, "little"):  # left in the port by an earlier life that used the same ticket
            self._counters.add("replies_to_others")
            self._refuse_read(channel, di, ERR_OTHER)
        else:
            self._counters.add("reads_by_owner")
            self._answer_read(channel, di, reply.data)
            if reply.di == REPORT_STATUS_DI:  # what a head-end has read need not be reported any more
                self._bus.tell(Control.REPORTED, 0, reply.data)

    def _answer_read(self, channel: Channel, di: bytes, data: bytes) -> None:
        if len(data) + 4 <= self.settings.max_reply_data:
            if channel.follow_up.is_pending:
                channel.follow_up.discard()
            self.send(channel, READ_REPLY, di + data)
            return
        try:
            control, field = channel.follow_up.answer(di, data, element_widths(di, data), self._clock.now_ns())
        except LocalProtocolError:  # more than the 255 follow-up frames can carry
            self._counters.add("answers_too_long")
            self._refuse_read(channel, di, ERR_OTHER)
            return
        self.send(channel, control, field)

    def _refuse_read(self, channel: Channel, di: bytes, error: int) -> None:
        channel.follow_up.discard()
        if error == ERR_NO_DATA and _is_secret(di):
            error = ERR_PASSWORD
        self.send(channel, READ_REFUSAL, bytes((error,)))

    def _change(self, channel: Channel, frame: Frame, decision: Accept) -> None:
        """What changes the meter: 08H, 14H to 1DH."""
        self._changing.take(channel, frame, decision)

    def _follow(self, channel: Channel, frame: Frame, decision: Accept) -> None:
        self.in_turn(channel, partial(self._answer_follow, channel, frame.data))

    def _answer_follow(self, channel: Channel, data: bytes) -> None:
        control, field = channel.follow_up.follow(data[:4], data[4], self._clock.now_ns())
        self.send(channel, control, field)

    def _tell_address(self, channel: Channel, frame: Frame, decision: Accept) -> None:
        self.in_turn(channel, partial(self.send, channel, ADDRESS_REPLY, self._station.octets))

    def _not_here(self, channel: Channel, frame: Frame, decision: Accept) -> None:
        """03H."""
        self._counters.add("not_here")
        self._refuse_in_turn(channel, abnormal_reply(decision.function, ERR_OTHER))

    def _refuse_in_turn(self, channel: Channel, refusal: AbnormalReply) -> None:
        self.in_turn(channel, partial(self._refuse, channel, refusal))

    def _refuse(self, channel: Channel, refusal: AbnormalReply) -> None:
        if refusal.control == READ_REFUSAL:  # a malformed 11H is a new 11H all the same
            channel.follow_up.discard()
        self.send(channel, refusal.control, refusal.data)

    def in_turn(self, channel: Channel, act: Act) -> None:
        """Run `act` as soon as the questions before it are answered."""
        if channel.slots:
            channel.slots.append([act])
        else:
            act()

    def send(self, channel: Channel, control: int, field: bytes) -> None:
        """Send a reply from the address in force."""
        octets = self._station.encode(control, field, channel.preamble)
        if channel.rate is not None:
            channel.quiet_ns = self._clock.now_ns() + channel.delay_ns + channel.rate.octets_ns(len(octets))
        if channel.delay_ns:
            self._clock.call_at(self._clock.now_ns() + channel.delay_ns, partial(channel.octets.write, octets))
        else:
            channel.octets.write(octets)


_OTHER_FUNCTIONS: dict[int, Callable[[Communication, Channel, Frame, Accept], Any]] = {
    Function2007.READ_FOLLOW_UP: Communication._follow,
    Function2007.READ_ADDRESS: Communication._tell_address,
    Function2007.BROADCAST_TIME: Communication._change,
    Function2007.WRITE_ADDRESS: Communication._change,
    Function2007.CHANGE_RATE: Communication._change,
    Function2007.WRITE: Communication._change,
    Function2007.CHANGE_PASSWORD: Communication._change,
    Function2007.FREEZE: Communication._change,
    Function2007.CLEAR_DEMAND: Communication._change,
    Function2007.CLEAR_METER: Communication._change,
    Function2007.CLEAR_EVENTS: Communication._change,
    Function2007.RELAY: Communication._change,
    Function2007.OUTPUT: Communication._change,
}


def _is_secret(di: bytes) -> bool:
    """Whether `di` is an item that exists and may not be read, such as a password."""
    try:
        return not item_2007(int.from_bytes(di, "little")).read
    except UnknownItem:
        return False


def start(context: StartContext) -> None:
    """Entry of the partition `communication`. Settings: JSON of `CommunicationSettings`."""
    Communication(context, context.decode_settings(CommunicationSettings))
