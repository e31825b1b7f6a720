"""A message that kills its receiver is moved aside the second time; every other one arrives exactly once."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench import Bench, Puppet, queuing

POISON = b"poison"
SETTLE_S = 60.0


class Receiver(Puppet):
    """Reads two channels; dies by itself over a poison, before it lets go of it."""

    def __init__(self) -> None:
        super().__init__(self._begin)
        self.taken: list[bytes] = []
        self.met = 0
        self.dies_at_once = 0
        self.begun = lambda context: None

    def _begin(self, context):
        if self.dies_at_once:
            self.dies_at_once -= 1
            raise RuntimeError("before it has looked at anything")
        for bit, name in enumerate(("first", "second"), 8):
            port = context.queuing_destination(name)
            context.wheel.task(bit, self._reader(port))
            port.on_message(context.wheel.poster(bit))
        self.begun(context)

    def _reader(self, port):
        def read():
            message = port.receive()
            if message is None:
                return
            if message.startswith(POISON):
                self.met += 1
                raise RuntimeError("a poison")
            self.taken.append(message)
            port.done()

        return read


class Sender(Puppet):
    """Sends what it is given, as there is room."""

    def __init__(self) -> None:
        super().__init__(self._begin)
        self.left = {"first": [], "second": []}

    def _begin(self, context):
        self.ports = {name: context.queuing_source(name) for name in self.left}
        for name, port in self.ports.items():
            port.on_space(lambda name=name: self.send(name))

    def send(self, name):
        while self.left[name] and self.ports[name].send(self.left[name][0]):
            self.left[name].pop(0)


class Poisoned:
    """A sender and a receiver joined by two channels."""

    def __init__(self, seed=0):
        self.receiver, self.sender = Receiver(), Sender()
        self.bench = Bench(
            {"sender": self.sender, "receiver": self.receiver},
            [queuing(name, f"sender.{name}", f"receiver.{name}", depth=4) for name in ("first", "second")],
            seed=seed,
        )
        self.bench.run()

    def send(self, name, messages):
        self.sender.left[name] += messages
        self.sender.send(name)

    def set_aside(self):
        return self.bench.module.partitions["receiver"].set_aside


@settings(max_examples=60)
@given(
    first=st.lists(st.booleans(), max_size=8),
    second=st.lists(st.booleans(), max_size=8),
    kills=st.lists(st.floats(0.0, 0.4), max_size=6),
    seed=st.integers(0, 99),
)
def test_every_good_message_arrives_once_in_order_and_every_poison_ends(first, second, kills, seed):
    poisoned = Poisoned(seed)
    sent = {}
    for name, plan in (("first", first), ("second", second)):
        sent[name] = [(POISON if is_bad else b"good") + f" {name} {n}".encode() for n, is_bad in enumerate(plan)]
        poisoned.send(name, sent[name])
    chance = random.Random(seed)
    for kill_s in kills:  # kills from outside in between: they say nothing about a message
        poisoned.bench.clock.advance(kill_s)
        if chance.random() < 0.7 and "receiver" in poisoned.bench.host.bodies:
            poisoned.bench.kill("receiver")
    poisoned.bench.clock.advance(SETTLE_S)
    for name, messages in sent.items():
        good = [message for message in messages if not message.startswith(POISON)]
        assert [message for message in poisoned.receiver.taken if name.encode() in message] == good
    assert poisoned.set_aside() == sum(first) + sum(second)
    assert all(count == 0 for link, count in poisoned.bench.host.queue_lengths().items() if link in sent)


def test_two_deaths_are_enough_and_it_is_told():
    poisoned = Poisoned()
    poisoned.send("first", [POISON, b"good"])
    poisoned.bench.clock.advance(5.0)
    assert (poisoned.receiver.met, poisoned.set_aside(), poisoned.receiver.taken) == (2, 1, [b"good"])
    (line,) = [line for line in poisoned.bench.log if "moved aside" in line]
    assert line.startswith("receiver: a message of 6 octets on first is moved aside")


def test_a_death_before_it_was_looked_at_again_blames_no_message():
    poisoned = Poisoned()
    poisoned.receiver.dies_at_once = 5
    poisoned.bench.kill("receiver")
    poisoned.send("first", [b"good"])
    poisoned.send("second", [b"good too"])
    poisoned.bench.clock.advance(20.0)
    assert poisoned.set_aside() == 0
    assert sorted(poisoned.receiver.taken) == [b"good", b"good too"]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.integers(0, 99))
def test_a_message_over_which_it_was_killed_from_outside_is_not_suspected(fuses, seed):
    poisoned = Poisoned(seed)
    messages = [b"good %d" % number for number in range(3)]
    left = [*fuses, 1, 1, 1]  # the last ones each between looking at a message and letting go of it

    def light(context):
        if left:
            poisoned.bench.host.bodies["receiver"].kill_within(left.pop(0))

    poisoned.receiver.begun = light
    poisoned.bench.kill("receiver")
    poisoned.send("first", messages)
    poisoned.bench.clock.advance(SETTLE_S)
    poisoned.send("first", messages)
    poisoned.bench.clock.advance(SETTLE_S)
    assert left == []
    assert poisoned.set_aside() == 0
    assert set(poisoned.receiver.taken) == set(messages)
