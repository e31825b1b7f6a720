"""The virtual bus: each message reaches exactly its declared owner, and every asker gets an answer in time."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench import DEFAULT_HEALTH, SECOND_NS, Bench, Partner, Puppet, bus_channels

from wattwheel.apex.bus import ASKS_UNDER_WAY
from wattwheel.apex.codes import OperatingMode, ReturnCode
from wattwheel.apex.messages import Control, Kind, Message, pack
from wattwheel.boot.standard_module import PARTNERS, RIGHTS, ROUTES
from wattwheel.kernel.config import HealthConfig, HealthEntry
from wattwheel.services import bus
from wattwheel.services.bus import HELD_MAX, LOOK_NS, REPLY_TIMEOUT_NS, ROUTED_MAX, Route, Router

READ, PRESS, LIST, TIME = Control.READ, Control.PRESS, Control.LIST, Control.BROADCAST_TIME
LIMIT_S = (REPLY_TIMEOUT_NS + LOOK_NS) / 1e9 + 0.01
OTHER, NO_DATA, NOT_AUTHORISED = bus.ERROR_OTHER, bus.ERROR_NO_DATA, bus.ERROR_NOT_AUTHORISED

ALL_RIGHTS = tuple(Control)


def echo(name: str):
    """An owner that tells who it is and what it was asked."""
    return lambda request: (f"{name} {request.di:08X} ".encode() + request.data, 0)


class Wired:
    """A bus between partners; each answers with its name unless `answers` says otherwise."""

    def __init__(
        self,
        names: tuple[str, ...] = ("asker", "owner", "other"),
        routes: tuple[tuple[int, str, str], ...] = ((READ, "00", "owner"), (READ, "02", "other")),
        rights: dict[str, tuple[int, ...]] | None = None,
        answers: dict[str, Any] | None = None,
        depth: int = 32,
        seed: int = 0,
        users: dict[str, str] | None = None,
        grants: tuple[tuple[str, str], ...] = (),
        quotas: dict[str, int] | None = None,
        system: tuple[str, ...] = (),
        health: HealthConfig = DEFAULT_HEALTH,
    ) -> None:
        self.partners = {name: Partner((answers or {}).get(name, echo(name))) for name in names}
        rights = dict.fromkeys(names, ALL_RIGHTS) if rights is None else rights
        document = {
            "partners": names,
            "routes": [{"control": control, "prefix": prefix, "owner": owner} for control, prefix, owner in routes],
            "rights": rights,
            "users": users or {},
            "grants": grants,
            "quotas": quotas or {},
        }
        self.bus = Puppet(bus.start)
        entries = {"bus": self.bus, **self.partners}
        self.bench = Bench(
            entries, bus_channels(names, depth), settings={"bus": document}, seed=seed, system=system, health=health
        )
        self.bench.run()

    def __getitem__(self, name: str) -> Partner:
        return self.partners[name]

    def count(self, name: str) -> int:
        return self.bus.context.counters[name]

    def replies(self, name: str) -> list[tuple[int, bytes]]:
        """(error, data) of each reply that `name` has heard; None for a silence."""
        return [None if reply is None else (reply.error, reply.data) for _, reply in self[name].replies]


# -- routes


@given(
    st.lists(
        st.tuples(st.sampled_from(ALL_RIGHTS), st.integers(0, 4), st.integers(0, 0xFFFFFFFF), st.sampled_from("abc")),
        max_size=30,
        unique_by=lambda route: (route[0], route[1], route[2] >> (32 - 8 * route[1])),
    ),
    st.lists(st.tuples(st.sampled_from(ALL_RIGHTS), st.integers(0, 0xFFFFFFFF)), max_size=30),
)
def test_the_longest_matching_prefix_wins(routes, asked):
    texts = [Route(control, f"{di:08X}"[: 2 * octets], owner) for control, octets, di, owner in routes]
    numbers = {"a": 1, "b": 2, "c": 3}
    router = Router(tuple(texts), numbers)
    for control, di in asked + [(route[0], route[2]) for route in routes]:
        matching = [r for r in texts if r.control == control and f"{di:08X}".startswith(r.prefix)]
        longest = max(matching, key=lambda route: len(route.prefix), default=None)
        assert router.owner(control, di) == (numbers[longest.owner] if longest else 0)


def declared_owner(control: int, di: int) -> str | None:
    """Owner by the table of the standard module, looked up the slow way."""
    fitting = [row for row in ROUTES if row[0] == control and f"{di:08X}".startswith(row[1])]
    return max(fitting, key=lambda row: len(row[1]))[2] if fitting else None


CLASSES = (
    0x00000000, 0x0001FF00, 0x00FFFFFF, 0x01010000, 0x02010100, 0x02FFFFFF, 0x03000001, 0x04000101, 0x04000401,
    0x04000601, 0x0400FFFF, 0x05000001, 0x06000000, 0x07000001, 0x0E000001, 0x0E200000, 0x0E200001, 0x0E2000FF,
    0x10000001, 0x80000000, 0xFFFFFFFF,
)  # fmt: skip


def test_every_control_code_and_class_of_every_asker_reaches_exactly_the_declared_owner():
    """The routes and rights of the standard module, each pair of partners, each class of identifiers."""
    wired = Wired(PARTNERS[:-1], ROUTES, {name: RIGHTS.get(name, ()) for name in PARTNERS[:-1]})
    expected = {}
    for asker in wired.partners:
        for control in (*ALL_RIGHTS, 0x14, 0x1C, 0xFF):
            for di in CLASSES:
                wired[asker].ask(control, di)
                owner = declared_owner(control, di)
                if control not in RIGHTS.get(asker, ()):
                    expected[asker, control, di] = (NOT_AUTHORISED, b"")
                elif owner is None:
                    expected[asker, control, di] = (NO_DATA if control in (READ, 0x14) else OTHER, b"")
                else:
                    expected[asker, control, di] = (0, f"{owner} {di:08X} ".encode())
        wired.bench.run(1.0)
    got = {
        (asker, asked[0], asked[1]): (reply.error, reply.data)
        for asker, partner in wired.partners.items()
        for asked, reply in partner.replies
    }
    assert got == expected
    assert len({error for error, _ in got.values()}) == 4
    for name, partner in wired.partners.items():
        for request in partner.requests:
            assert declared_owner(request.control, request.di) == name
            assert request.control in RIGHTS[list(wired.partners)[request.origin - 1]]


def test_notices_reach_their_owner_and_only_with_the_right():
    wired = Wired(PARTNERS[:-1], ROUTES, {name: RIGHTS.get(name, ()) for name in PARTNERS[:-1]})
    for asker in wired.partners.values():
        asker.bus.tell(TIME, 0, b"now")
        asker.bus.tell(TIME, 0xFFFFFFFF, b"now")
        asker.bus.flush()
    wired.bench.run()
    origins = [list(wired.partners)[notice.origin - 1] for notice in wired["platform"].notices]
    assert origins == ["communication", "communication"]
    assert wired.count("refused") == 2 * (len(wired.partners) - 1)
    wired["web"].bus.tell(PRESS, 0x0F000000)
    wired["web"].bus.flush()
    wired.bench.run()
    assert wired.count("notices_unowned") == 1


# -- what is unknown, forged, doubled, late


def test_unknown_identifiers_are_answered_at_once():
    wired = Wired()
    begun = wired.bench.clock.now_ns()
    wired["asker"].ask(READ, 0x01000000)
    wired["asker"].ask(LIST, 0x01000000)
    assert wired.bench.clock.advance_until(lambda: len(wired["asker"].replies) == 2, 1)
    assert wired.replies("asker") == [(NO_DATA, b""), (OTHER, b"")]
    assert wired.bench.clock.now_ns() - begun < 1_000_000
    assert wired.count("unowned") == 2


def test_without_a_right_nothing_passes():
    wired = Wired(rights={})
    for control in ALL_RIGHTS:
        wired["asker"].ask(control, 0x00000000)
        wired["asker"].bus.tell(control, 0x00000000)
    wired.bench.run()
    assert wired.replies("asker") == [(NOT_AUTHORISED, b"")] * len(ALL_RIGHTS)
    assert wired["owner"].requests == wired["owner"].notices == []
    assert wired.count("refused") == 2 * len(ALL_RIGHTS)


def test_an_origin_cannot_be_forged():
    wired = Wired()
    forged = Message(Kind.REQUEST, READ, 0, 5, origin=2)
    wired["asker"].bus._send(pack(forged) + pack(forged._replace(kind=Kind.NOTICE, origin=3)))
    wired.bench.run()
    assert [request.origin for request in wired["owner"].requests] == [1]
    assert [notice.origin for notice in wired["owner"].notices] == [1]


def test_invented_and_doubled_replies_are_dropped_and_counted():
    def twice_and_to_others(request):
        owner = wired["owner"].bus
        for ticket in (request.ticket, request.ticket, request.ticket + 1, 0, 0xFFFFFFFF):
            owner.reply(request._replace(ticket=ticket, di=0x07070707, control=0x55), b"true")

    wired = Wired(answers={"owner": twice_and_to_others})
    wired["asker"].ask(READ, 0x00000005)
    wired.bench.run()
    ((asked, reply),) = wired["asker"].replies
    assert (reply.control, reply.di, reply.data) == (asked[0], asked[1], b"true")
    assert wired.count("replies_unasked") == 4


def test_nobody_can_answer_for_another():
    wired = Wired(answers={"owner": lambda request: None, "other": lambda request: None})
    wired["asker"].ask(READ, 0x00000005)
    wired.bench.run()
    (request,) = wired["owner"].requests
    for thief in ("other", "asker"):
        wired[thief].bus.reply(request, b"stolen")
        wired[thief].bus.flush()
    wired.bench.run()
    assert wired["asker"].replies == []
    assert wired.count("replies_unasked") == 2
    wired["owner"].bus.reply(request, b"true")
    wired["owner"].bus.flush()
    wired.bench.run()
    assert wired.replies("asker") == [(0, b"true")]


def test_an_owner_that_stays_silent_costs_an_error_within_the_limit_and_its_late_reply_is_dropped():
    wired = Wired(answers={"owner": lambda request: None})
    wired["asker"].ask(READ, 0x00000001)
    wired["asker"].ask(READ, 0x02000001)  # the owner of 02 is of the asker's group
    wired.bench.run(REPLY_TIMEOUT_NS / 1e9 - 0.03)
    assert wired.replies("asker") == [(0, b"other 02000001 ")]
    wired.bench.run(LIMIT_S - REPLY_TIMEOUT_NS / 1e9 + 0.03)
    assert wired.replies("asker")[1:] == [(OTHER, b"")]
    assert wired.count("late") == 1
    wired["owner"].bus.reply(wired["owner"].requests[0], b"late")
    wired["owner"].bus.flush()
    wired.bench.run()
    assert len(wired["asker"].replies) == 2
    assert wired.count("replies_unasked") == 1


def test_a_dead_owner_answers_after_its_restart_and_nobody_else_notices():
    wired = Wired()
    wired.bench.kill("owner")
    wired["asker"].ask(READ, 0x00000001)
    wired["asker"].ask(READ, 0x02000001)  # the owner of 02 is of the asker's group
    wired.bench.run(0.005)
    assert wired.replies("asker") == [(0, b"other 02000001 ")]
    wired.bench.run(0.1)
    assert wired.replies("asker")[1:] == [(0, b"owner 00000001 ")]


def test_a_stopped_owner_costs_those_who_ask_it_their_time_and_nobody_else():
    wired = Wired(depth=4)
    wired.bench.host.bodies["owner"].pause()
    for di in range(600):
        assert wired["asker"].ask(READ, di)
    for number in range(50):
        wired["other"].ask(READ, 0x02000000 | number)
        wired.bench.run(0.01)
        assert wired.replies("other")[-1] == (0, b"other %08X " % (0x02000000 | number))
    quotas = -(-600 // ASKS_UNDER_WAY)
    wired.bench.run(quotas * LIMIT_S)
    assert wired.replies("asker") == [(OTHER, b"")] * 600
    wired.bench.host.bodies["owner"].resume()
    wired.bench.run(1.0)
    assert len(wired["asker"].replies) == 600
    wired["asker"].ask(READ, 0x00000009)
    wired.bench.run()
    assert wired.replies("asker")[-1] == (0, b"owner 00000009 ")


def test_an_asker_that_takes_no_replies_loses_its_own_and_nobody_elses():
    wired = Wired(depth=4)
    asker = wired["asker"]
    request = b"".join(pack(Message(Kind.REQUEST, READ, 0x07000000, ticket)) for ticket in range(200))
    wired.bench.host.bodies["asker"].pause()
    for _ in range(HELD_MAX + 100):
        wired.bench.host.queuing["asker>bus"].messages.append(request)
        wired.bench.host.queuing["asker>bus"].reader.post()
        wired.bench.clock.advance(0.001)
    assert wired.count("replies_dropped") > 0
    wired["other"].ask(READ, 0x00000001)
    wired.bench.run()
    assert wired.replies("other") == [(0, b"owner 00000001 ")]
    wired.bench.host.bodies["asker"].resume()
    wired.bench.clock.advance(3)
    asker.ask(READ, 0x00000002)
    wired.bench.run()
    assert wired.replies("asker") == [(0, b"owner 00000002 ")]


def test_a_burst_of_notices_waits_for_a_slow_owner_and_a_flood_is_bounded(monkeypatch):
    wired = Wired(routes=((READ, "00", "owner"),))
    wired.bench.host.bodies["owner"].pause()
    for number in range(5000):
        wired["asker"].bus.tell(READ, number)
    wired["asker"].bus.flush()
    wired.bench.run(0.5)
    assert wired.count("notices_dropped") == 0
    wired.bench.host.bodies["owner"].resume()
    wired.bench.run(1.0)
    assert [notice.di for notice in wired["owner"].notices] == list(range(5000))
    monkeypatch.setattr(bus, "NOTICES_HELD_MAX", 100)
    wired.bench.host.bodies["owner"].pause()
    for number in range(5000):
        wired["asker"].bus.tell(READ, number)
    wired["asker"].bus.flush()
    wired.bench.run(0.5)
    assert wired.count("notices_dropped") > 0


def test_who_goes_far_beyond_its_quota_is_refused_and_nobody_else():
    """A partition that does not keep to its end of the bus, or a forged one."""
    wired = Wired(depth=64, answers={"owner": lambda request: None})
    flood = [pack(Message(Kind.REQUEST, READ, 0x00000001, ticket)) for ticket in range(2 * ASKS_UNDER_WAY + 30)]
    for octets in flood:
        wired.bench.host.queuing["asker>bus"].messages.append(octets)
    wired.bench.host.queuing["asker>bus"].reader.post()
    wired["other"].ask(READ, 0x02000001)
    wired.bench.run(0.1)
    assert wired.count("beyond_quota") == 30
    assert wired.replies("other") == [(0, b"other 02000001 ")]
    wired.bench.run(LIMIT_S)
    assert wired.count("late") == 2 * ASKS_UNDER_WAY
    wired["asker"].ask(READ, 0x02000002)
    wired.bench.run()
    assert wired.replies("asker")[-1] == (0, b"other 02000002 ")


def test_a_quota_of_its_own():
    wired = Wired(answers={"owner": lambda request: None}, quotas={"asker": 2})
    for ticket in range(7):
        wired["asker"].bus._send(pack(Message(Kind.REQUEST, READ, 0x00000001, ticket)))
    wired.bench.run()
    assert wired.count("beyond_quota") == 3


def test_what_a_partner_may_not_do_is_told_to_the_health_monitor_once_a_second():
    wired = Wired(rights={"asker": (READ,), "owner": ALL_RIGHTS, "other": ALL_RIGHTS}, system=("bus",))
    asker = wired["asker"]
    for _ in range(50):
        asker.bus._send(pack(Message(Kind.NOTICE, Control.PRESS, 1)))
        wired.bench.run(0.001)
    asker.bus._send(b"x")
    wired.bench.run(3.0)
    told = [(entry["partition"], entry["error"], entry["detail"]) for entry in wired.bench.module.health.newest(9)]
    assert told == [
        ("asker", "ILLEGAL_REQUEST", "bus: refused"),
        ("asker", "ILLEGAL_REQUEST", "bus: damaged, refused"),
    ]
    assert wired.bench.module.modes()["asker"] == "NORMAL"


def test_a_wrong_that_is_told_late_starts_nobody_again_and_the_kernel_is_no_partition():
    health = HealthConfig(partitions={"asker": (HealthEntry("*", "ILLEGAL_REQUEST", action="COLD_START"),)})
    wired = Wired(rights={"asker": (), "owner": (), "other": ()}, system=("bus",), health=health)
    module = wired.bench.module
    context = wired.bus.context
    assert module.set_mode("asker", OperatingMode.IDLE) is ReturnCode.NO_ERROR
    wired.bench.run(0.1)
    context.report("illegal_request", "bus: refused", "asker")
    context.report("illegal_request", "bus: refused", "kernel")
    wired.bench.run(1.0)
    assert module.modes()["asker"] == "IDLE"
    assert module.health.newest(9) == []
    assert [line for line in wired.bench.log if "bus: refused" in line] == [
        "bus: asker: illegal_request bus: refused",
        "bus: kernel: illegal_request bus: refused",
    ]


def test_damaged_messages_and_unknown_kinds_are_counted_and_what_stood_before_them_is_served():
    wired = Wired()
    good = pack(Message(Kind.NOTICE, READ, 0x00000001))
    for rubbish in (b"", b"x", good[:-1], b"\x03\x11\x00\x00\xff\xff" + bytes(10), pack(Message(9, READ, 1))):
        wired["asker"].bus._send(good + rubbish)
    wired.bench.run()
    assert len(wired["owner"].notices) == 5
    assert wired.count("damaged") == 3
    assert wired.count("unknown_kind") == 1


def test_requests_remembered_are_bounded(monkeypatch):
    monkeypatch.setattr(bus, "ROUTED_MAX", 10)
    wired = Wired(answers={"owner": lambda request: None})
    for di in range(15):
        wired["asker"].ask(READ, di)
    wired.bench.run()
    assert wired.replies("asker") == [(OTHER, b"")] * 5
    wired.bench.run(LIMIT_S)
    assert len(wired["asker"].replies) == 15
    assert ROUTED_MAX > 10


def test_a_reply_to_a_bus_that_has_died_answers_nobody_else():
    wired = Wired(answers={"owner": lambda request: None})
    for di in range(5):
        wired["asker"].ask(READ, di)
    wired.bench.run()
    old = list(wired["owner"].requests)
    wired.bench.kill("bus")
    wired.bench.run(0.1)
    for di in range(5, 10):
        wired["asker"].ask(READ, di)
    wired.bench.run()
    for request in old:
        wired["owner"].bus.reply(request, b"of the old bus")
    wired["owner"].bus.flush()
    wired.bench.run()
    assert wired["asker"].replies == []
    for request in wired["owner"].requests[5:]:
        wired["owner"].bus.reply(request, b"%d" % request.di)
    wired["owner"].bus.flush()
    wired.bench.run()
    assert [(asked[1], reply.data) for asked, reply in wired["asker"].replies] == [
        (di, b"%d" % di) for di in range(5, 10)
    ]


# -- the defects of the original middle layer (domain 18.3)


@pytest.mark.parametrize("seed", range(3))
def test_unknown_identifiers_never_block_a_pipe(seed):
    """DEF-1: 10 000 requests with random unknown identifiers mixed 1:1 with valid ones, on every pipe."""
    chance = random.Random(seed)
    names = ("a", "b", "c", "owner", "other")
    wired = Wired(names, seed=seed)
    askers = names[:3]
    for _ in range(10_000 // len(askers) // 10):
        for name in askers:
            for _ in range(5):
                wired[name].ask(READ, chance.choice((0x00000000, 0x02000000)) | chance.randrange(1 << 24))
                wired[name].ask(READ, chance.randrange(0x03000000, 1 << 32))
        wired.bench.clock.advance(chance.uniform(0.0, 0.004))
    wired.bench.run(0.5)
    for name in askers:
        assert len(wired[name].replies) == 10_000 // 3 // 10 * 10
        for (_, di, _), reply in wired[name].replies:
            owner = {0: "owner", 2: "other"}.get(di >> 24)
            good = owner is not None
            assert (reply.error, reply.data) == ((0, f"{owner} {di:08X} ".encode()) if good else (NO_DATA, b""))
    assert wired.count("late") == 0
    assert max(wired.bench.host.queue_lengths().values()) == 0
    assert all(channel.length_max <= 32 for channel in wired.bench.host.queuing.values())


def test_many_pipes_with_different_requests_are_all_answered():
    """DEF-2: 16 pipes x 1000 different requests, random sizes and think times."""
    chance = random.Random(2)
    names = tuple(f"p{number}" for number in range(16))
    routes = tuple((READ, f"{number:02X}", name) for number, name in enumerate(names))
    wired = Wired(names, routes, answers={name: lambda request: (request.data[::-1], 0) for name in names})
    sent = dict.fromkeys(names, 0)
    while any(number < 1000 for number in sent.values()):
        name = chance.choice([name for name in names if sent[name] < 1000])
        for _ in range(min(chance.choice((1, 1, 2, 5, 20)), 1000 - sent[name])):
            sent[name] += 1
            data = chance.randbytes(chance.choice((0, 1, 4, 64, 200, 1500)))
            wired[name].ask(READ, chance.randrange(16) << 24 | chance.randrange(1 << 24), data)
        if chance.random() < 0.3:
            wired.bench.clock.advance(chance.expovariate(1000))
    wired.bench.run(0.4)
    for name in names:
        replies = wired[name].replies
        assert len(replies) == 1000
        assert all(reply.data == asked[2][::-1] and reply.di == asked[1] for asked, reply in replies)
    assert wired.count("replies_unasked") == wired.count("late") == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=2, max_size=40))
def test_alternating_contents_of_the_same_request_are_never_mixed(contents):
    """DEF-3: the same head and identifier, contents and values that change between request and reply."""
    values = iter(range(1 << 20))
    wired = Wired(answers={"owner": lambda request: (request.data + b"|%d" % next(values), 0)})
    for data in contents:
        wired["asker"].ask(READ, 0x00010000, data)
    wired.bench.run(0.3)
    expected = [(0, data + b"|%d" % number) for number, data in enumerate(contents)]
    assert wired.replies("asker") == expected


@pytest.mark.parametrize("seed", range(40))
def test_kills_of_any_partition_in_the_middle_of_its_work_leave_no_question_open(seed):
    chance = random.Random(seed)
    names = ("asker", "owner", "other")
    wired = Wired(seed=seed)
    asked = 0
    for _ in range(30):
        partner = wired[chance.choice(("asker", "other"))]
        for _ in range(chance.randrange(5)):
            asked += partner.ask(READ, chance.choice((0, 2, 7)) << 24 | chance.randrange(100))
        if chance.random() < 0.3:
            victim = wired.bench.host.bodies.get(chance.choice(("bus", "owner")))
            if victim is not None:
                victim.kill_within(chance.randrange(20))
        wired.bench.run(chance.choice((0.0, 0.0001, 0.01, 0.1)))
    for body in wired.bench.host.bodies.values():
        body.kill_within(None)
    wired.bench.run(5)
    replies = [pair for name in names for pair in wired[name].replies]
    assert len(replies) == asked
    for (_, di, _), reply in replies:
        if reply is not None and not reply.error:
            assert reply.data == f"{'owner' if di >> 24 == 0 else 'other'} {di:08X} ".encode()
    wired["asker"].ask(READ, 0x00000001, timeout_ns=SECOND_NS)
    wired.bench.run()
    assert wired.replies("asker")[-1] == (0, b"owner 00000001 ")


# -- users


USERS = {"asker": "guests", "owner": "meter", "other": "guests"}
TOLD = [(0, b"owner 00000001 ")], [(NOT_AUTHORISED, b"")]


@pytest.mark.parametrize(
    ("users", "grants", "passes"),
    [
        ({}, (), True),
        (dict.fromkeys(USERS, "meter"), (), True),
        (USERS, (), False),
        (USERS, (("guests", "meter"),), True),
        (USERS, (("meter", "guests"), ("guests", "others")), False),
        ({"asker": "guests"}, (), True),  # the owner belongs to nobody
        ({"owner": "meter"}, (), True),  # the asker does
    ],
)
def test_between_groups_only_what_was_granted(users, grants, passes):
    wired = Wired(users=users, grants=grants)
    wired["asker"].ask(READ, 0x00000001)
    wired["asker"].ask(READ, 0x02000001)  # the owner of 02 is of the asker's group
    wired.bench.run(LIMIT_S)
    told = {asked[1]: (reply.error, reply.data) for asked, reply in wired["asker"].replies}
    assert [told[0x00000001]] == TOLD[0 if passes else 1]
    assert told[0x02000001][0] == 0
    assert (wired.count("refused"), wired.count("refused_asker")) == ((0, 0) if passes else (1, 1))
    assert len(wired["owner"].requests) == passes


def test_a_notice_into_another_group_is_dropped_and_counted():
    wired = Wired(routes=((PRESS, "", "owner"),), users=USERS)
    wired["asker"].bus.tell(PRESS, 0x0E200000)
    wired["asker"].bus.flush()
    wired.bench.run(LIMIT_S)
    assert wired["owner"].notices == []
    assert wired.count("refused_asker") == 1
