"""The communication partition alone: doors and lines that a test speaks through, a bus end and a snapshot it holds."""

import heapq
from datetime import UTC, datetime
from itertools import count

import msgspec

from wattwheel.apex.bus import FROM_BUS, TO_BUS
from wattwheel.apex.messages import Control, Kind, Message, pack, unpack
from wattwheel.apex.partition import StartContext
from wattwheel.hil.ports import Sample
from wattwheel.hil.process import BodySpec, QueuingPortSpec, SamplingPortSpec
from wattwheel.protocols.dlt645.frame import Frame, decode, encode
from wattwheel.services import communication

ADDRESS = "202611200001"
ANY, BROADCAST, OTHER = "AAAAAAAAAAAA", "999999999999", "202611200002"
MS = 1_000_000
SECOND = 1_000_000_000


class Clock:
    """Virtual time; what is due runs in the order of its time, then of its asking."""

    def __init__(self):
        self.now = SECOND
        self._timers = []
        self._serial = count()

    def now_ns(self):
        return self.now

    def calendar(self):
        return datetime(2026, 11, 20, 12, tzinfo=UTC)

    def call_at(self, due_ns, action):
        heapq.heappush(self._timers, (due_ns, next(self._serial), action))

    def advance(self, to_ns, turn):
        while self._timers and self._timers[0][0] <= to_ns:
            due_ns, _, action = heapq.heappop(self._timers)
            self.now = max(self.now, due_ns)
            action()
            turn()
        self.now = to_ns


class Line:
    """An octet channel whose far end is the test: `sent` is what the meter wrote, with the time of each write."""

    def __init__(self, clock, name="line"):
        self.name, self.dropped = name, 0
        self.sent, self.settings = [], []
        self._is_hung_up = self.is_given_back = False
        self._clock = clock
        self._arrived = []
        self._action = None

    def configure(self, settings):
        """As a serial line."""
        self.settings.append(settings)

    def read(self):
        octets = self._arrived.pop(0) if self._arrived else b""
        if octets:
            self._tell()
        return octets

    def write(self, octets):
        self.sent.append((self._clock.now, octets))

    def on_arrival(self, action):
        self._action = action
        self._tell()

    def _tell(self):
        if self._action is not None and (self._arrived or self._is_hung_up):
            self._action()

    @property
    def unsent(self):
        """Octets that the test has not taken."""
        return sum(len(octets) for _, octets in self.sent)

    @property
    def is_closed(self):
        """As a connection: only after everything was read."""
        return self._is_hung_up and not self._arrived

    def close(self):
        self.is_given_back = True
        self._action = None

    def bring(self, octets):
        """Octets of one segment arrive."""
        self._arrived.append(octets)
        self._tell()

    @property
    def unread(self):
        """Octets that have arrived and were not read."""
        return b"".join(self._arrived)

    def hang_up(self):
        self._is_hung_up = True
        self._tell()

    def vanish(self):
        """As hang_up; nobody is told who does not look, and only once who does."""
        self._is_hung_up, self._action = True, None

    def take(self):
        """All octets written since the last time."""
        octets = b"".join(octets for _, octets in self.sent)
        self.sent.clear()
        return octets


class Door:
    """A listener."""

    address = "127.0.0.1:1"

    def __init__(self):
        self._connect = None

    def on_connection(self, action):
        self._connect = action

    def connect(self, line):
        self._connect(line)
        return line


class Queue:
    """A queuing channel and both of its ends."""

    max_message_size, depth = 4096, 1024

    def __init__(self):
        self.messages = []
        self._arrival = lambda: None

    def send_nowait(self, message):
        self.messages.append(message)
        self._arrival()
        return True

    def peek_nowait(self):
        return self.messages[0] if self.messages else None

    def consume(self):
        self.messages.pop(0)
        if self.messages:
            self._arrival()

    def has_room(self):
        return True

    def count(self):
        return 0

    def length(self):
        return len(self.messages)

    def on_space(self, action):
        pass

    def on_arrival(self, action):
        self._arrival = action


class Cell:
    """A sampling channel and both of its ends."""

    max_message_size = 1 << 16

    def __init__(self, clock):
        self._clock = clock
        self._sample, self._version = None, 0
        self._arrival = lambda: None

    def write(self, message):
        self._sample = Sample(message, self._clock.now)
        self._version += 1
        self._arrival()

    def version(self):
        return self._version

    def read(self):
        return self._sample

    def on_arrival(self, action):
        self._arrival = action


class World:
    """The partition with one door, one serial line, and whatever settings a test gives."""

    def __init__(self, parameters=False, **settings):
        self.clock = Clock()
        self.to_bus, self.from_bus = Queue(), Queue()
        self.snapshot, self.parameters = Cell(self.clock), Cell(self.clock)
        self.door, self.serial = Door(), Line(self.clock, "serial")
        self.devices = {"door": self.door, "serial": self.serial}
        settings = {"address": ADDRESS, "listeners": ["door"], "lines": ["serial"], "asks_under_way": 2048} | settings
        queuing = [
            QueuingPortSpec(TO_BUS, "SOURCE", ("x",), 4096, 1024),
            QueuingPortSpec(FROM_BUS, "DESTINATION", ("y",), 4096, 1024),
        ]
        sampling = [SamplingPortSpec("snapshot", "DESTINATION", "z", 1 << 16, SECOND)]
        if parameters:
            sampling.append(SamplingPortSpec("parameters", "DESTINATION", "p", 1 << 16, SECOND))
        spec = BodySpec("communication", "x", msgspec.json.encode(settings), tuple(queuing), tuple(sampling))
        self.context = StartContext(spec, self.clock, self)
        communication.start(self.context)
        self.turn = self.context.wheel.turn
        self.turn()
        self.tcp = self.connect()
        self.told = []

    # what a partition's maker supplies

    def queuing_source(self, port):
        return self.to_bus

    def queuing_destination(self, port):
        return self.from_bus

    def sampling_destination(self, port):
        return self.parameters if port == "parameters" else self.snapshot

    def device(self, name):
        return self.devices[name]

    # what a test does

    def connect(self):
        return self.door.connect(Line(self.clock, "tcp"))

    def hear(self, octets, line=None):
        """One segment arrives, and the wheel turns."""
        (line or self.tcp).bring(octets)
        self.turn()

    def pass_ms(self, milliseconds):
        self.clock.advance(self.clock.now + round(milliseconds * MS), self.turn)

    def asked(self):
        """The messages that went to the bus since the last time."""
        messages = [message for octets in self.to_bus.messages for message in unpack(octets)]
        self.to_bus.messages.clear()
        return messages

    def reply(self, request, data=b"", error=0):
        self.from_bus.send_nowait(
            pack(Message(Kind.REPLY, request.control, request.di, request.ticket, error, 0, data))
        )
        self.turn()

    def publish(self, table):
        self.snapshot.write(msgspec.msgpack.encode(table))

    def tell_parameters(self, values):
        """The APP `parameters` publishes."""
        self.parameters.write(msgspec.msgpack.encode(values))
        self.turn()

    def ask(self, octets, line=None):
        """One segment arrives; reads are answered from ITEMS, changes refused; the meter's octets."""
        self.hear(octets, line)
        for request in self.asked():
            if request.kind == Kind.NOTICE:
                self.told.append(request)
                continue
            if request.control in (Control.AUTHORIZE, Control.CHANGE_PASSWORD):
                self.reply(request, error=4)
                continue
            if request.control in (Control.FREEZE, Control.OUTPUT, Control.CHANGE_RATE):
                self.reply(request, error=1)
                continue
            assert request.control == Control.READ
            data = ITEMS.get(request.di)
            self.reply(request, data or b"", 0 if data is not None else 2)
        return (line or self.tcp).take()

    def count(self, name):
        return self.context.counters[name]

    def counts(self):
        """All counters that are not zero."""
        return {name: self.context.counters[name] for name in self.context.counters}


LONG = bytes(range(1, 101)) * 5  # 500 octets that no picture cuts
ITEMS = {
    0x00010000: bytes.fromhex("78563412"),
    0x02010100: bytes.fromhex("0123"),
    0x02800002: bytes.fromhex("0060"),
    0x1C0000FF: LONG,
}
TOTAL, VOLTAGE, FREQUENCY, LONG_DI, ABSENT = 0x00010000, 0x02010100, 0x02800002, 0x1C0000FF, 0x00030000


def di_octets(di):
    return di.to_bytes(4, "little")


VOLTAGE_ANSWER = (0x91, di_octets(VOLTAGE) + ITEMS[VOLTAGE])
TOTAL_ANSWER = (0x91, di_octets(TOTAL) + ITEMS[TOTAL])
FREQUENCY_ANSWER = (0x91, di_octets(FREQUENCY) + ITEMS[FREQUENCY])


def request(control, data=b"", address=ADDRESS):
    return encode(Frame(address, control, data))


def read(di, address=ADDRESS, more=b""):
    return request(0x11, di_octets(di) + more, address)


def follow(di, seq, address=ADDRESS):
    return request(0x12, di_octets(di) + bytes((seq,)), address)


def answer(octets):
    """The one frame that `octets` are."""
    frame = decode(octets)
    assert frame.address == ADDRESS
    return frame.control, frame.data


def frames(octets):
    """The frames in `octets`, nothing else between them."""
    found = []
    while octets:
        body = octets.lstrip(b"\xfe")
        size = body[9] + 12
        found.append(answer(octets[: len(octets) - len(body) + size]))
        octets = body[size:]
    return found
