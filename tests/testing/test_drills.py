"""The drills themselves, cut short: they hold on a real meter, say so in the contract's shape, and can fail."""

import pytest

from wattwheel.model.errors import BadInput
from wattwheel.testing import drills
from wattwheel.testing.drills import crowd, fuzz, hostile, hostile_partition, kills, link_cut
from wattwheel.testing.drills.score import FAILURES_TOLD_MAX, Score

KILLS = 6
OCTETS = 100_000
KEYS = {"name", "ok", "times", "failures", "level", "seed", "details"}


def test_kills():
    document = drills.run("kills", KILLS, 7)
    assert document["ok"], failed(document)
    assert set(document) == KEYS
    assert (document["name"], document["times"], document["failures"], document["seed"]) == ("kills", KILLS, 0, 7)
    assert document["level"].startswith("L")
    rows = [row for row in document["details"] if row["what"] == "kill"]
    killed = next(row for row in document["details"] if row["what"] == "killed")
    assert killed["cores"] == sum(killed["processes"][core] for core in kills.CORES)
    assert KILLS <= killed["cores"] <= KILLS + 2  # the last ones may have come as a pair
    assert all(row["agree_s_worst"] <= kills.AGREE_S_MAX for row in rows)
    energy = next(row for row in document["details"] if row["what"] == "energy")
    assert energy["microjoule_at_end"] > 0
    assert min(energy["answers"].values()) > KILLS


def test_restarts():
    document = drills.run("restarts", KILLS, 3)
    assert document["ok"], failed(document)
    killed = next(row for row in document["details"] if row["what"] == "killed")
    assert KILLS <= sum(killed["processes"][name] for name in kills.PARTITIONS) <= KILLS + 1
    assert killed["cores"] == 0
    rows = [row for row in document["details"] if row["what"] == "kill"]
    assert all(row["doors_s_worst"] <= kills.BACK_S_MAX for row in rows)


def test_restarts_fails_where_a_door_is_too_late(monkeypatch):
    monkeypatch.setattr(kills, "PARTITIONS_ONLY", kills.PARTITIONS_ONLY._replace(singles=("web",), doors_s_max=0.0))
    document = drills.run("restarts", 1, 1)
    assert not document["ok"]
    assert {row["failed"] for row in document["details"] if "failed" in row} == {"doors"}


def test_kills_fails_where_the_meter_shows_more_than_there_was(monkeypatch):
    true_power_w = kills.secondary_power_w()
    monkeypatch.setattr(kills, "secondary_power_w", lambda: 0.5 * true_power_w)
    monkeypatch.setattr(kills, "SETTLE_S", 0.3)
    document = drills.run("kills", 1, 1)
    assert not document["ok"]
    assert document["failures"] > 0
    assert document["details"][0]["failed"] == "energy"
    assert "too much" in document["details"][0]["found"]


def test_fuzz():
    document = drills.run("fuzz", OCTETS, 7)
    assert document["ok"], failed(document)
    assert set(document) == KEYS
    assert (document["name"], document["times"], document["failures"], document["seed"]) == ("fuzz", OCTETS, 0, 7)
    channels = {row["kind"]: row for row in document["details"] if row["what"] == "channel"}
    assert set(channels) == {"tcp", "line"}
    for row in channels.values():
        assert row["octets"] >= OCTETS
        assert row["answered"] > row["sound_requests"] > 100
        assert row["frames"] > row["answered"]
        assert min(row["half_frame_answer_s"]) > 0.9 * fuzz.HALF_FRAME_TIMEOUT_MS / 1000


def test_fuzz_fails_where_a_value_is_another(monkeypatch):
    monkeypatch.setattr(fuzz, "HALF_FRAMES", {"tcp": 1, "line": 1})
    monkeypatch.setattr(fuzz, "known", lambda rows: {int(row["di"], 16): _other(row["value"]) for row in rows})
    document = drills.run("fuzz", 20_000, 1)
    assert not document["ok"]
    assert {row["failed"] for row in document["details"] if "failed" in row} == {"wrong value"}


def failed(document):
    return [row for row in document["details"] if "failed" in row]


def _other(value):
    return value + 1 if isinstance(value, int | float) else value


def test_hostile(monkeypatch):
    monkeypatch.setattr(hostile, "READS_A_ROUND", 40)
    document = drills.run("hostile", 1, 1)
    assert document["ok"], failed(document)
    assert set(document) == KEYS
    assert document["level"] == "L2"
    rows = hostile.rows(document)
    assert [row["attempt"] for row in rows] == list(hostile_partition.ATTEMPTS[1:])
    assert all(row["outcome"] in ("EACCES", "EPERM", "EAGAIN", "EMFILE", "ETIME", "refused by the bus") for row in rows)
    user = next(row for row in document["details"] if row["what"] == "user")
    assert user["user"] != 0
    assert next(row for row in document["details"] if row["what"] == "level")["not_run"] == ["L0", "L1", "L3"]


def test_link_cut():
    document = drills.run("link-cut", 6, 2)
    assert document["ok"], failed(document)
    assert set(document) == KEYS
    ways = [row for row in document["details"] if row["what"] == "way"]
    assert [row["messages"] > 300 for row in ways] == [True, True]
    assert sum(row["times"] for row in document["details"] if row["what"] == "strikes") == 6


def test_link_cut_fails_where_a_message_is_lost(monkeypatch):
    mistaken = link_cut.MODULE.replace(
        "wattwheel.testing.drills.link_partitions:send", "tests.testing.skipping_sender:send"
    )
    monkeypatch.setattr(link_cut, "MODULE", mistaken)
    monkeypatch.setattr(link_cut, "PATIENCE_S", 2.0)
    document = drills.run("link-cut", 1, 2)
    assert any("lost, doubled or out of order" in row["found"] for row in failed(document))


def test_crowd(monkeypatch):
    monkeypatch.setattr(crowd, "CROWD", 8)
    document = drills.run("crowd", 150, 1)
    assert document["ok"], failed(document)
    assert set(document) == KEYS
    (row,) = document["details"]
    assert (row["partitions"], row["requests"]) == (8, 8 * 150)
    assert row["reads_beside"] > 0


def test_crowd_fails_where_the_bus_loses_answers_or_mixes_them_up(monkeypatch):
    monkeypatch.setattr(crowd, "CROWD", 2)
    monkeypatch.setattr(crowd, "ENTRY", "tests.testing.mistaken_member:start")
    document = drills.run("crowd", 20, 1)
    assert not document["ok"]
    assert any("wrong" in row["found"] for row in failed(document))


def test_hostile_fails_where_the_wall_is_down(monkeypatch):
    monkeypatch.setattr(hostile, "READS_A_ROUND", 4)
    monkeypatch.setattr(hostile, "ATTEMPTS", ("harmless", "read_files"))
    monkeypatch.setattr(hostile, "GOT_THROUGH", "EACCES")  # as if the way to the file were free
    document = drills.run("hostile", 1, 1)
    assert not document["ok"]
    assert document["details"][0] == {"failed": "the wall", "found": "read_files: got through"}


def test_an_unknown_drill():
    with pytest.raises(BadInput, match=r"earthquake: no such drill; allowed: kills, fuzz, hostile, restarts"):
        drills.run("earthquake")


def test_the_defaults_of_the_contract(monkeypatch):
    seen = []

    def drill(times, seed):
        seen.append((times, seed))
        return Score()

    monkeypatch.setattr(kills, "drill", drill)
    monkeypatch.setattr(fuzz, "drill", drill)
    assert [drills.run(name)["times"] for name in ("kills", "fuzz")] == [200, 10_000_000]
    assert seen == [(200, drills.SEED), (10_000_000, drills.SEED)]


def test_all_failures_count_and_the_first_are_told():
    score = Score()
    for number in range(FAILURES_TOLD_MAX + 3):
        score.check(number < 0, "check", f"number {number}")
    score.add(what="figure")
    document = score.document("x", 1, 2)
    assert (document["ok"], document["failures"]) == (False, FAILURES_TOLD_MAX + 3)
    assert len(document["details"]) == FAILURES_TOLD_MAX + 1
    assert document["details"][0] == {"failed": "check", "found": "number 0"}
