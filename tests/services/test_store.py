"""The store service: grouped commits, quotas, order, kills of either side at every step, cuts at every write."""

import random

import pytest
from tests.services.store_world import Clock, World

from wattwheel.apex.store import (
    RECORD_OCTETS_MAX,
    Load,
    Loaded,
    Refused,
    Resume,
    Save,
    Saved,
    SaveResult,
    decode_reply,
    encode,
)
from wattwheel.drivers.linux.sqlite_records import SqliteRecords
from wattwheel.drivers.sim.storage import PowerCut, SimDisk, SimRecords, Torn
from wattwheel.hil.storage import Change, Recovered
from wattwheel.model.errors import StorageError
from wattwheel.services.store_core import GROUP_NS, REFRESH_NS, RETRY_NS, SEQUENCE_KEY, StoreCore


def core_of(disk=None, quotas=None):
    """A core with an opened medium and its clock."""
    clock = Clock()
    medium = SimRecords(disk or SimDisk())
    return StoreCore(medium, clock, quotas or {"a": 1000, "b": 1000}), medium, clock


def save(core, client, sequence, changes, promised=False):
    return core.handle(client, encode(Save(sequence, 0, False, promised, tuple(changes.items()))))


def test_what_is_not_promised_waits_for_the_group_and_is_one_commit():
    core, medium, clock = core_of()
    for name in "ab":
        assert core.handle(name, encode(Load(1))) == [(name, Loaded(1, 0, False, 0, 0, ()))]
    for sequence in range(1, 31):
        assert save(core, "a", sequence, {"count": b"%d" % sequence}) == []
        assert save(core, "b", sequence, {"count": b"%d" % sequence}) == []
        clock.advance(1)
        assert core.turn() == [] or sequence > 59
    assert core.commits == 0
    assert core.due() == 1 + GROUP_NS
    clock.advance(30)
    assert core.turn() == [("a", Saved(30)), ("b", Saved(30))]
    assert (core.commits, core.commits_promised) == (1, 0)
    assert medium.load("a") == {"count": b"30", SEQUENCE_KEY: (30).to_bytes(8, "little")}
    assert core.wear["a"].records == 2


def test_a_promise_commits_at_once_on_both_copies_and_takes_everybody_along():
    disk = SimDisk()
    core, medium, _clock = core_of(disk)
    for name in "ab":
        core.handle(name, encode(Load(1)))
    save(core, "a", 1, {"x": b"waiting"})
    save(core, "b", 1, {"y": b"promised"}, promised=True)
    save(core, "b", 2, {"z": b"promised too"}, promised=True)
    assert core.turn() == [("a", Saved(1)), ("b", Saved(2))]
    assert (core.commits, core.commits_promised) == (1, 1)
    medium.die()
    disk.slots["store.first"].rows.clear()
    again = SimRecords(disk)
    assert again.load("b")["y"] == b"promised"
    assert again.load("a")["x"] == b"waiting"


def test_the_second_copy_follows_at_most_after_the_refresh_time():
    core, medium, clock = core_of()
    core.handle("a", encode(Load(1)))
    for minute in range(10):
        save(core, "a", minute + 1, {"x": b"%d" % minute})
        clock.advance(GROUP_NS / 1e9)
        core.turn()
    assert core.commits == 10
    assert medium._behind
    clock.advance(REFRESH_NS / 1e9 - 9 * GROUP_NS / 1e9)
    core.turn()
    assert not medium._behind
    assert core.due() is None


def test_the_quota_counts_keys_and_payloads_and_lets_one_shrink():
    core, medium, _clock = core_of(quotas={"a": 100})
    core.handle("a", encode(Load(1)))
    assert save(core, "a", 1, {"k": bytes(99)}) == []
    assert save(core, "a", 2, {"l": b""}) == [("a", Refused(2, 2, SaveResult.OVER_QUOTA))]
    assert save(core, "a", 3, {"k": bytes(98), "l": b""}) == []
    assert save(core, "a", 4, {"k": bytes(100)}) == [("a", Refused(4, 4, SaveResult.OVER_QUOTA))]
    assert save(core, "a", 5, {"k": None, "m": bytes(90)}) == []
    core.stop()
    assert core.refused == 2
    assert medium.faults == 0


def test_the_quota_holds_over_a_restart_and_when_it_was_lowered():
    disk = SimDisk()
    core, medium, _clock = core_of(disk, {"a": 100})
    core.handle("a", encode(Load(1)))
    save(core, "a", 1, {"k": bytes(90)})
    core.stop()
    disk.held.clear()
    core, medium, _clock = core_of(disk, {"a": 50})
    core.handle("a", encode(Resume()))
    assert save(core, "a", 2, {"l": b"x"}) == [("a", Refused(2, 2, SaveResult.OVER_QUOTA))]
    assert save(core, "a", 3, {"k": bytes(80)}) == [], "smaller than before is always welcome"
    core.stop()
    assert medium.faults == 0


def test_a_transaction_in_parts_is_one_transaction():
    core, medium, _clock = core_of(quotas={"a": 30_000})
    core.handle("a", encode(Load(1)))
    parts = [
        encode(Save(1, part, part < 2, True, ((f"k{part}", bytes(7000)), ("last", b"%d" % part)))) for part in range(3)
    ]
    for part in parts[:2]:
        assert core.handle("a", part) == []
        assert core.turn() == []
    assert core.commits == 0
    core.handle("a", parts[1])
    assert core.ignored == 1, "a doubled part is not a part"
    core.handle("a", parts[2])
    assert core.turn() == [("a", Saved(1))]
    assert medium.load("a")["last"] == b"2"
    assert {"k0", "k1", "k2"} <= medium.load("a").keys()


def test_parts_without_their_beginning_and_floods_of_parts_are_harmless():
    core, medium, _clock = core_of(quotas={"a": 500})
    core.handle("a", encode(Load(1)))
    core.handle("a", encode(Save(1, 1, False, True, (("half", b"x"),))))
    assert core.turn() == []
    for part in range(100):
        assert core.handle("a", encode(Save(2, part, True, True, ((f"k{part}", bytes(400)),)))) == []
    assert core._clients["a"].arriving.changes.keys() == {"k0"}
    reply = core.handle("a", encode(Save(2, 100, False, True, ())))
    assert reply == [("a", Refused(2, 2, SaveResult.OVER_QUOTA))]
    assert core.turn() == []
    assert medium.load("a") == {}


@pytest.mark.parametrize(
    "message", [b"", b"\xc1", b"\x93\x01", encode(Saved(1)), encode([3, "x"]), b"\x96\x03" + b"\xff" * 9]
)
def test_nonsense_from_a_client_is_counted_and_nothing_else(message):
    core, _medium, _clock = core_of()
    assert core.handle("a", message) == []
    assert core.ignored == 1
    assert core.turn() == []


def test_keys_of_the_store_itself_and_oversized_records_are_refused():
    core, _medium, _clock = core_of(quotas={"a": 100_000})
    core.handle("a", encode(Load(1)))
    for sequence, (key, payload) in enumerate(
        [(SEQUENCE_KEY, b""), ("", b""), ("k" * 65, b""), ("k", bytes(RECORD_OCTETS_MAX + 1))], 1
    ):
        assert save(core, "a", sequence, {key: payload}) == [("a", Refused(sequence, sequence, SaveResult.MALFORMED))]
    assert core.turn() == []


def test_the_same_or_an_older_number_is_acknowledged_and_not_applied_again():
    disk = SimDisk()
    core, medium, _clock = core_of(disk)
    core.handle("a", encode(Load(1)))
    save(core, "a", 7, {"x": b"seven"}, promised=True)
    assert core.turn() == [("a", Saved(7))]
    assert save(core, "a", 7, {"x": b"other"}, promised=True) == [("a", Saved(7))]
    medium.die()
    core, medium, _clock = core_of(disk)
    assert save(core, "a", 8, {"x": b"eight"}) == [], "out of step: nobody has resumed"
    core.handle("a", encode(Resume()))
    assert save(core, "a", 6, {"x": b"six"}) == [("a", Saved(7))]
    assert save(core, "a", 7, {"x": b"other"}) == [("a", Saved(7))]
    assert core.turn() == []
    assert medium.load("a")["x"] == b"seven"


def test_a_failing_medium_refuses_the_promised_keeps_the_rest_and_tries_again():
    disk = SimDisk()
    core, medium, clock = core_of(disk)
    for name in "ab":
        core.handle(name, encode(Load(1)))
    disk.is_full = True
    save(core, "a", 1, {"x": b"kept"})
    save(core, "a", 2, {"x": b"kept too"})
    save(core, "a", 3, {"x": b"promised"}, promised=True)
    save(core, "a", 4, {"y": b"after it"})
    save(core, "a", 5, {"y": b"after it"})
    save(core, "b", 1, {"x": b"kept"})
    assert not core.is_failing
    assert core.turn() == [("a", Refused(3, 5, SaveResult.MEDIUM_FAILED))]
    assert core.is_failing
    assert core.turn() == []
    assert core.due() == clock.now_ns() + RETRY_NS
    for _ in range(5):
        clock.advance(RETRY_NS / 1e9)
        assert core.turn() == []
    disk.is_full = False
    clock.advance(RETRY_NS / 1e9)
    assert core.turn() == [("a", Saved(2)), ("b", Saved(1))]
    assert medium.load("a") == {"x": b"kept too", SEQUENCE_KEY: (2).to_bytes(8, "little")}
    assert core.failures == 6
    assert not core.is_failing
    assert save(core, "a", 6, {"x": b"on"}, promised=True) == []
    assert core.turn() == [("a", Saved(6))]


@pytest.mark.parametrize("what", Recovered)
@pytest.mark.parametrize("request_", [Load(1), Resume()])
def test_a_name_space_that_could_not_be_mended_is_told_until_the_store_starts_anew(what, request_):
    disk = SimDisk()
    core, medium, _ = core_of(disk)
    medium._recovered["a"] = what
    core.handle("b", encode(Load(1)))
    assert core.unmended == set()
    core.handle("a", encode(request_))
    is_lost = what in (Recovered.PARTIAL, Recovered.LOST)
    assert core.unmended == ({"a"} if is_lost else set())
    save(core, "a", 1, {"x": b"on"}, promised=True)
    core.turn()
    assert not medium.recovered.get("a")
    assert core.unmended == ({"a"} if is_lost else set())
    core.stop()
    anew, _, _ = core_of(disk)
    anew.handle("a", encode(Load(2)))
    assert anew.unmended == set()


class Unreadable:
    """A medium whose reading can be made to fail."""

    def __init__(self, disk):
        self._inner = SimRecords(disk)
        self.is_broken = False
        self.faults = 0
        self.recovered = {}
        self.commit, self.refresh, self.close = self._inner.commit, self._inner.refresh, self._inner.close

    def load(self, name_space):
        if self.is_broken:
            raise StorageError("read", "input/output error")
        return self._inner.load(name_space)


def test_a_load_that_the_medium_cannot_serve_is_served_later():
    clock, medium = Clock(), Unreadable(SimDisk())
    medium.commit([Change("a", "x", b"1")])
    core = StoreCore(medium, clock, {"a": 1000, "b": 1000})
    medium.is_broken = True
    assert core.handle("a", encode(Load(5))) == []
    assert core.handle("b", encode(Resume())) == []
    assert save(core, "b", 1, {"x": b"1"}) == []
    clock.advance(RETRY_NS / 1e9)
    assert core.turn() == []
    medium.is_broken = False
    clock.advance(RETRY_NS / 1e9)
    answers = core.turn()
    assert ("a", Loaded(5, 0, False, 0, 0, (("x", b"1"),))) in answers
    assert [type(reply).__name__ for name, reply in answers if name == "b"] == ["Hello"], "b is asked to begin again"
    core.handle("b", encode(Resume()))
    save(core, "b", 1, {"x": b"1"}, promised=True)
    assert core.turn() == [("b", Saved(1))]


def test_what_had_to_be_recovered_reaches_the_client():
    disk = SimDisk()
    core, medium, _clock = core_of(disk)
    core.handle("a", encode(Load(1)))
    save(core, "a", 1, {"x": b"1"}, promised=True)
    core.turn()
    core.stop()
    disk.slots["store.first"].is_malformed = True
    disk.held.clear()
    core, medium, _clock = core_of(disk)
    [(_, loaded)] = core.handle("a", encode(Load(2)))
    assert loaded == Loaded(2, 0, False, 1, Recovered.OLDER, (("x", b"1"),))
    assert medium.faults > 0


def test_a_load_takes_what_is_pending_to_the_medium_first():
    core, medium, _clock = core_of()
    for name in "ab":
        core.handle(name, encode(Load(1)))
        save(core, name, 1, {"x": b"1"})
    answers = core.handle("a", encode(Load(2)))
    assert answers == [("a", Saved(1)), ("b", Saved(1)), ("a", Loaded(2, 0, False, 1, 0, (("x", b"1"),)))]
    assert medium.load("b")["x"] == b"1"


def test_a_load_while_the_medium_fails_gives_what_was_accepted():
    disk = SimDisk()
    core, _medium, _clock = core_of(disk)
    core.handle("a", encode(Load(1)))
    save(core, "a", 1, {"x": b"1", "y": b"1"}, promised=True)
    core.turn()
    disk.is_full = True
    save(core, "a", 2, {"x": b"2", "y": None})
    assert core.handle("a", encode(Load(2))) == [("a", Loaded(2, 0, False, 2, 0, (("x", b"2"),)))]


# The partition and the client between their ports


def test_answers_to_a_predecessor_are_not_taken_for_ours():
    world = World()
    for reply in (Saved(99), Loaded(7, 0, False, 98, 0, (("x", b"old"),))):
        world.replies["energy"].send_nowait(encode(reply))
    client = world.start_client("energy")
    assert world.replies["energy"].messages == []
    loads = []
    client.load(loads.append)
    world.replies["energy"].send_nowait(encode(Loaded(7, 0, False, 98, 0, (("x", b"old"),))))
    world.replies["energy"].send_nowait(encode(Loaded(world.clock.now_ns(), 1, False, 98, 0, (("x", b"late part"),))))
    world.settle()
    assert loads == []
    world.start_store()
    world.settle()
    assert [loading.records for loading in loads] == [{}]


def test_a_client_loads_saves_and_gets_it_back():
    world = World()
    world.start_store()
    assert world.load("energy") == ({}, Recovered.NOTHING)
    results = []
    world.clients["energy"].save({"total": b"1"}, promised=True, on_saved=results.append)
    world.clients["energy"].save({"total": b"2"}, on_saved=results.append)
    assert world.clients["energy"].unsaved == 2
    world.settle()
    assert results == [SaveResult.SAVED] * 2, "one turn, one commit, both answered"
    assert world.store.counters["store_commits"] == 1
    assert world.load("energy").records == {"total": b"2"}
    assert world.load("web").records == {}, "a name space of its own"


def test_a_save_before_the_load_waits_for_it():
    world = World()
    client = world.start_client("energy")
    results, loads = [], []
    client.save({"x": b"1"}, promised=True, on_saved=results.append)
    client.load(loads.append)
    client.load(loads.append)
    world.start_store()
    world.settle()
    assert results == [SaveResult.SAVED]
    assert [loading.records for loading in loads] == [{}, {}]


def test_a_name_space_and_a_transaction_larger_than_a_port():
    world = World(quotas={"energy": 2_000_000})
    world.start_store()
    world.load("energy")
    records = {f"profile_{n}": random.Random(n).randbytes(5000) for n in range(300)}
    results = []
    world.clients["energy"].save(records, promised=True, on_saved=results.append)
    world.settle(400)
    assert results == [SaveResult.SAVED]
    assert world.store.counters["store_commits"] == 1
    got = []
    world.kill_client("energy")
    world.start_client("energy").load(got.append)
    world.settle(400)
    assert got[0].records == records


def test_many_saves_are_merged_when_the_store_does_not_answer():
    world = World()
    world.start_store()
    world.load("energy")
    client = world.clients["energy"]
    world.kill_store()
    results = []
    for number in range(500):
        client.save({"count": b"%d" % number}, on_saved=results.append)
    assert client.unsaved == 33
    world.start_store()
    world.settle()
    world.clock.advance(61)
    world.settle()
    world.clock.advance(61)
    world.settle()
    assert results == [SaveResult.SAVED] * 500
    assert world.load("energy").records == {"count": b"499"}


def test_an_unstorable_save_is_refused_at_the_door():
    world = World()
    client = world.start_client("energy")
    for changes in ({"": b""}, {"\x01x": b""}, {"k": bytes(RECORD_OCTETS_MAX + 1)}, {"é" * 40: b""}):
        with pytest.raises(StorageError, match="allowed"):
            client.save(changes)
    assert client.unsaved == 0


def test_over_quota_reaches_the_one_who_saved():
    world = World(quotas={"energy": 100})
    world.start_store()
    world.load("energy")
    results = []
    world.clients["energy"].save({"k": bytes(500)}, on_saved=results.append)
    world.clients["energy"].save({"k": bytes(50)}, promised=True, on_saved=results.append)
    world.settle()
    assert results == [SaveResult.OVER_QUOTA, SaveResult.SAVED]


def test_an_orderly_stop_commits_everything():
    world = World()
    world.start_store()
    world.load("energy")
    results = []
    world.clients["energy"].save({"x": b"unpromised"}, on_saved=results.append)
    world.store.stop()
    assert not world.medium._behind, "the second copy too"
    world.store = None
    world.settle()
    assert results == [SaveResult.SAVED]
    world.start_store()
    assert world.load("energy").records == {"x": b"unpromised"}


def test_a_client_that_takes_no_answers_is_not_heard_further_and_harms_nobody():
    world = World(depth=2)
    world.start_store()
    world.load("energy")
    world.load("web")
    world.kill_client("web")
    for sequence in range(1, 40):
        world.requests["web"].send_nowait(encode(Save(sequence, 0, False, True, (("x", bytes(7000)),))))
        world.settle(3)
    assert len(world.replies["web"].messages) == 2
    assert len(world.requests["web"].messages) == 2, "the next ones stay where they are"
    results = []
    world.clients["energy"].save({"x": b"1"}, promised=True, on_saved=results.append)
    world.settle()
    assert results == [SaveResult.SAVED]


def life(world, rng, model, steps):
    """Let the pair of records in `energy` be counted up, promised or not; `model` keeps what was acknowledged."""
    for _ in range(steps):
        client = world.clients.get("energy")
        if client is not None and client.is_loaded and rng.random() < 0.7:
            model["number"] += 1
            number = model["number"]
            changes = {"energy": b"%d" % number, "money": b"-%d" % number, f"ring_{number % 3}": b"x"}
            client.save(
                changes,
                promised=rng.random() < 0.4,
                on_saved=lambda result, number=number: result is SaveResult.SAVED and acknowledge(model, number),
            )
        world.step()
        world.clock.advance(rng.choice([0, 1, 20]))


def acknowledge(model, number):
    model["acknowledged"] = max(model["acknowledged"], number)


def start_counting(world, model):
    """Start the client; it goes on from what it is given."""

    def on_loaded(loading):
        found = loading.records
        number = int(found.get("energy", b"0"))
        assert found.get("money", b"-0") == b"-%d" % number, "energy without its money"
        assert model["acknowledged"] <= number <= model["number"], f"{number} outside {model}"
        model["number"] = number

    world.start_client("energy").load(on_loaded)


@pytest.mark.parametrize("victim", ["store", "client", "both"])
def test_kill_at_every_step(victim):
    for at in range(60):
        world, rng, model = World(depth=2), random.Random(at), {"number": 0, "acknowledged": 0}
        world.start_store()
        start_counting(world, model)
        life(world, rng, model, at)
        if victim != "client":
            world.kill_store()
        if victim != "store":
            world.kill_client("energy")
        life(world, rng, model, at % 3)
        if victim != "store":
            start_counting(world, model)
        life(world, rng, model, at % 4)
        if victim != "client":
            world.start_store()
        life(world, rng, model, 20)
        world.clock.advance(61)
        world.settle()
        world.clock.advance(61)
        world.settle()
        assert model["acknowledged"] == model["number"] > 0, (
            f"killed at step {at}: everything is acknowledged in the end"
        )
        assert world.load("energy").records["energy"] == b"%d" % model["number"]


def test_seeded_lives_with_kills_and_failures():
    for seed in range(60):
        world, rng, model = World(depth=rng_depth(seed)), random.Random(seed), {"number": 0, "acknowledged": 0}
        world.start_store()
        start_counting(world, model)
        for _ in range(15):
            life(world, rng, model, rng.randrange(8))
            world.disk.is_full = rng.random() < 0.2
            if rng.random() < 0.4 and world.store is not None:
                world.kill_store()
            if rng.random() < 0.3 and "energy" in world.clients:
                world.kill_client("energy")
            life(world, rng, model, rng.randrange(3))
            if world.store is None:
                world.start_store()
            if "energy" not in world.clients:
                start_counting(world, model)
        world.disk.is_full = False
        for _ in range(4):
            world.settle()
            world.clock.advance(61)
        found = world.load("energy").records
        assert int(found.get("energy", b"0")) >= model["acknowledged"], f"seed {seed}"
        assert found.get("money", b"-0") == b"-" + found.get("energy", b"0"), f"seed {seed}"


def rng_depth(seed):
    return (1, 2, 8)[seed % 3]


@pytest.mark.parametrize("torn", Torn)
def test_a_power_cut_at_every_write(torn):
    """The supply of everything goes at write N, for every N: what was acknowledged is there, whole."""
    cut = 0
    while True:
        cut += 1
        disk = SimDisk(seed=cut, cut_at_write=cut, torn=torn)
        world, rng, model = World(disk=disk), random.Random(7), {"number": 0, "acknowledged": 0}
        try:
            world.start_store()
            start_counting(world, model)
            life(world, rng, model, 30)
            break
        except PowerCut:
            disk.power_up()
        after = World(disk=disk)
        after.start_store()
        start_counting(after, model)
        after.settle()
        assert after.clients["energy"].is_loaded, f"cut at write {cut}"
    assert cut > 100


def test_on_the_real_medium(tmp_path):
    world = World(open_medium=lambda: SqliteRecords(tmp_path))
    model, rng = {"number": 0, "acknowledged": 0}, random.Random(1)
    world.start_store()
    start_counting(world, model)
    life(world, rng, model, 20)
    world.store.stop()
    world.kill_store()
    world.start_store()
    life(world, rng, model, 10)
    world.clock.advance(61)
    world.settle()
    world.clock.advance(61)
    world.settle()
    assert model["acknowledged"] == model["number"] > 0
    assert world.load("energy").records["energy"] == b"%d" % model["number"]
    world.store.stop()


def test_replies_decode_to_what_was_encoded():
    for reply in (Saved(3), Refused(1, 2, 1), Loaded(1, 0, True, 2, 0, (("k", b"v"),))):
        assert decode_reply(encode(reply)) == reply
