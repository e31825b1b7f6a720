"""Records in two slots and two files: every cut, every flipped bit, every lost file, on the simulated disk."""

import random

import pytest

from wattwheel.drivers.sim.storage import PowerCut, SimDisk, SimRecords, Torn
from wattwheel.hil.storage import Change, Recovered
from wattwheel.model.errors import DoorUnavailable, StorageError

SPACES = ("energy", "money")


def work(disk, reached):
    """Eight transactions over two name spaces, with deletes, a promised one and refreshes; `reached` tells how far."""
    medium = SimRecords(disk)
    for number in range(1, 9):
        changes = [Change("energy", "total", b"%d" % number), Change("energy", f"ring_{number % 3}", b"%d" % number)]
        changes.append(Change("money", "balance", b"-%d" % number))
        if number % 4 == 0:
            changes.append(Change("energy", f"ring_{(number + 1) % 3}", None))
        reached.append(("begun", number))
        medium.commit(changes, both=number == 5)
        reached.append(("done", number))
        if number % 3 == 0:
            medium.refresh()
    medium.close()
    return medium


def state_after(number):
    """What `work` has stored after transaction `number`, by name space."""
    energy, money = {}, {}
    for n in range(1, number + 1):
        energy |= {"total": b"%d" % n, f"ring_{n % 3}": b"%d" % n}
        money["balance"] = b"-%d" % n
        if n % 4 == 0:
            energy.pop(f"ring_{(n + 1) % 3}", None)
    return {"energy": energy, "money": money}


def loaded(medium):
    return {name: medium.load(name) for name in SPACES}


def writes_of_work():
    disk = SimDisk()
    work(disk, [])
    return disk.writes


@pytest.mark.parametrize("torn", Torn)
def test_a_cut_at_every_write_leaves_the_old_state_or_the_new(torn):
    for cut in range(1, writes_of_work() + 1):
        disk, reached = SimDisk(seed=cut, cut_at_write=cut, torn=torn), []
        with pytest.raises(PowerCut):
            work(disk, reached)
        disk.power_up()
        medium = SimRecords(disk)
        done = max((number for what, number in reached if what == "done"), default=0)
        begun = max((number for what, number in reached if what == "begun"), default=0)
        assert loaded(medium) in (state_after(done), state_after(begun)), f"cut at write {cut}"
        assert medium.faults == 0, f"cut at write {cut}: a cut is no damage"
        medium.commit([Change("energy", "total", b"on")])
        assert medium.load("energy")["total"] == b"on"


@pytest.mark.parametrize("torn", Torn)
def test_a_cut_at_every_write_of_mending_costs_nothing_more(torn):
    """First file malformed, and the supply goes while it is being made anew: at any write."""
    for cut in range(1, 200):
        disk = SimDisk(seed=cut, torn=torn)
        work(disk, [])
        disk.slots["store.first"].is_malformed = True
        disk.cut_at_write = disk.writes + cut
        try:
            medium = SimRecords(disk)
            medium.close()
        except PowerCut:
            disk.power_up()
            medium = SimRecords(disk)
        assert loaded(medium) == state_after(8), f"cut at write {cut} of mending"
        if disk.cut_at_write:
            return
    pytest.fail("mending never ended")


def test_one_flipped_bit_in_every_slot_of_either_file():
    """Whatever slot it hits: nothing is missing while the second copy is up to date, and it is told."""
    pristine = SimDisk()
    work(pristine, [])
    places = [(name, at) for name, cells in pristine.slots.items() for at in sorted(cells.rows)]
    assert len(places) > 20
    for name, (side, number) in places:
        for bit in (0, 37, 64 + 7, 200, 10_007):
            disk = SimDisk()
            work(disk, [])
            disk.slots[name].flip(side, number, bit)
            medium = SimRecords(disk)
            assert medium.faults > 0, (name, side, number)
            assert loaded(medium) == state_after(8), (name, side, number)
            expected = {Recovered.REPAIRED, Recovered.OLDER} if name == "store.first" else {Recovered.NOTHING}
            assert {*medium.recovered.values(), Recovered.NOTHING} & expected, (name, side, number)
            medium.close()
            again = SimRecords(disk)
            assert again.faults == 0, "mended once, whole again"
            assert loaded(again) == state_after(8)


def test_one_flipped_bit_where_the_second_copy_is_behind_gives_an_earlier_whole_state():
    for seed in range(60):
        chance = random.Random(seed)
        disk = SimDisk()
        medium = SimRecords(disk)
        for number in range(1, 6):
            medium.commit([Change("pair", "energy", b"%d" % number), Change("pair", "money", b"-%d" % number)])
            if number == 2:
                medium.refresh()
        medium.die()
        cells = disk.slots["store.first"]
        at = chance.choice(sorted(cells.rows))
        cells.flip(*at, chance.randrange(2000))
        medium = SimRecords(disk)
        found = medium.load("pair")
        assert found["money"] == b"-" + found["energy"], f"seed {seed}: energy without its money"
        assert int(found["energy"]) >= 4, f"seed {seed}: the slot before is enough for one flipped bit"
        assert medium.faults > 0
        if int(found["energy"]) < 5:
            assert medium.recovered["pair"] is Recovered.OLDER


def test_many_flipped_bits_never_give_a_mixture_without_saying_so():
    for seed in range(150):
        chance = random.Random(seed)
        disk = SimDisk()
        medium = SimRecords(disk)
        for number in range(1, 9):
            changes = [Change("pair", key, b"%d" % number) for key in chance.sample("abcd", chance.randint(1, 4))]
            changes.append(Change("pair", "number", b"%d" % number))
            medium.commit(changes)
            if chance.random() < 0.3:
                medium.refresh()
        medium.die()
        chance = random.Random(seed)
        states, now = {}, {}
        for number in range(1, 9):
            now = now | dict.fromkeys(chance.sample("abcd", chance.randint(1, 4)), b"%d" % number)
            now["number"] = b"%d" % number
            states[b"%d" % number] = now
            chance.random()
        for _ in range(chance.randint(1, 6)):
            cells = disk.slots[chance.choice(["store.first", "store.second"])]
            if cells.rows:
                cells.flip(*chance.choice(sorted(cells.rows)), chance.randrange(2000))
        medium = SimRecords(disk)
        found = medium.load("pair")
        if medium.recovered.get("pair", Recovered.NOTHING) < Recovered.PARTIAL:
            assert found == states[found["number"]], f"seed {seed}"
        assert found or medium.recovered["pair"] is Recovered.LOST


@pytest.mark.parametrize("damage", ["malformed", "lost", "zeroed"])
def test_the_whole_first_file_gone_leaves_the_second_copy(damage):
    disk = SimDisk()
    medium = SimRecords(disk)
    medium.commit([Change("n", "promised", b"1"), Change("n", "count", b"1")], both=True)
    medium.commit([Change("n", "count", b"2")])
    medium.die()
    cells = disk.slots["store.first"]
    if damage == "lost":
        cells.rows.clear()
    elif damage == "malformed":
        cells.is_malformed = True
    else:
        cells.rows = {at: bytes(len(octets)) for at, octets in cells.rows.items()}
    medium = SimRecords(disk)
    found = medium.load("n")
    assert found["promised"] == b"1"
    assert found["count"] in (b"1", b"2")
    assert medium.faults > 0
    assert medium.recovered["n"] is Recovered.OLDER
    assert medium.load("never seen") == {}
    assert "never seen" not in medium.recovered, "the second copy was whole: there was no such name space"
    medium.commit([Change("n", "count", b"3")])
    assert "n" not in medium.recovered, "its owner has gone on"
    medium.die()
    again = SimRecords(disk)
    assert (again.load("n"), again.faults) == ({"promised": b"1", "count": b"3"}, 0)


def test_both_files_gone_is_told_as_a_loss_and_the_evidence_stays_until_the_first_write():
    disk = SimDisk()
    work(disk, [])
    for cells in disk.slots.values():
        cells.rows = {at: bytes(len(octets)) for at, octets in cells.rows.items()}
    for _ in range(2):
        medium = SimRecords(disk)
        assert medium.load("energy") == {}
        assert medium.recovered["energy"] is Recovered.LOST, "never silently zero"
        medium.die()
    medium = SimRecords(disk)
    medium.load("energy")
    medium.commit([Change("energy", "total", b"9")])
    medium.die()
    again = SimRecords(disk)
    assert (again.load("energy"), again.faults) == ({"total": b"9"}, 0)


def test_damage_met_while_running_is_mended_from_memory_and_the_second_copy():
    disk = SimDisk()
    medium = SimRecords(disk)
    for number in range(1, 4):
        medium.commit([Change("n", "count", b"%d" % number), Change("n", f"k{number}", b"x")])
    medium.refresh()
    medium.commit([Change("n", "count", b"4"), Change("n", "k1", None)])
    disk.slots["store.first"].is_malformed = True
    medium.commit([Change("n", "count", b"5")])
    assert medium.load("n") == {"count": b"5", "k2": b"x", "k3": b"x"}
    for at in disk.slots["store.first"].rows:
        disk.slots["store.first"].flip(*at, 100)
    assert medium.load("n") == {"count": b"5", "k2": b"x", "k3": b"x"}, "a slot is checked each time it is read"
    medium.commit([Change("n", "count", b"6")])
    disk.slots["store.second"].is_malformed = True
    medium.refresh()
    medium.die()
    again = SimRecords(disk)
    assert (again.load("n"), again.faults) == ({"count": b"6", "k2": b"x", "k3": b"x"}, 0)
    assert medium.faults >= 3


def test_a_damaged_first_file_that_cannot_be_mended_is_still_read():
    disk = SimDisk()
    work(disk, [])
    disk.slots["store.first"].is_malformed = True
    disk.is_full = True
    medium = SimRecords(disk)
    assert loaded(medium) == state_after(8)
    with pytest.raises(StorageError):
        medium.commit([Change("energy", "total", b"9")])
    assert loaded(medium) == state_after(8)
    disk.is_full = False
    medium.commit([Change("energy", "total", b"9")])
    assert medium.load("energy") == state_after(8)["energy"] | {"total": b"9"}


def test_a_full_disk_refuses_and_recovers():
    disk = SimDisk()
    medium = SimRecords(disk)
    medium.commit([Change("n", "a", b"1")])
    disk.is_full = True
    with pytest.raises(StorageError, match="space"):
        medium.commit([Change("n", "a", b"2")])
    assert medium.load("n") == {"a": b"1"}
    disk.is_full = False
    medium.commit([Change("n", "a", b"3")])
    assert medium.load("n") == {"a": b"3"}
    medium.die()
    assert SimRecords(disk).load("n") == {"a": b"3"}


def test_an_error_at_every_write_refuses_that_transaction_or_costs_nothing():
    disk = SimDisk()
    medium = SimRecords(disk)
    stored, refused = b"", 0
    for number in range(1, 60):
        disk.failing_writes = (disk.writes + number % 7,)
        try:
            medium.commit([Change("n", "a", b"%d" % number), Change("n", "b", b"%d" % number)], both=number % 3 == 0)
            stored = b"%d" % number
        except StorageError:
            refused += 1
        assert medium.load("n") == ({"a": stored, "b": stored} if stored else {})
    assert 0 < refused < 59
    medium.die()
    disk.failing_writes = ()
    assert SimRecords(disk).load("n") == {"a": stored, "b": stored}


def test_a_second_copy_that_fails_is_counted_and_made_up_for():
    disk = SimDisk()
    medium = SimRecords(disk)
    medium.commit([Change("n", "a", b"1")])
    disk.failing_writes = range(disk.writes + 6, disk.writes + 50)  # the first file's transaction goes well
    medium.commit([Change("n", "a", b"2")], both=True)
    assert medium.faults == 1
    disk.failing_writes = ()
    medium.refresh()
    medium.die()
    disk.slots["store.first"].is_malformed = True
    assert SimRecords(disk).load("n") == {"a": b"2"}


def test_seeded_errors_and_cuts_over_a_long_life():
    for seed in range(40):
        chance = random.Random(seed)
        disk = SimDisk(seed)
        disk.io_error_chance = 0.02
        sure, tried = {}, {}
        for _life in range(6):
            disk.cut_at_write = disk.writes + chance.randrange(5, 120)
            try:
                medium = SimRecords(disk)
                assert medium.load("n") in (sure, tried), f"seed {seed}"
                sure = tried = medium.load("n")
                for number in range(30):
                    tried = sure | {f"k{number % 5}": b"%d" % number, "n": b"%d" % number}
                    try:
                        medium.commit([Change("n", key, p) for key, p in tried.items()], both=chance.random() < 0.2)
                    except StorageError:
                        tried = sure
                    sure = tried
                    if chance.random() < 0.1:
                        try:
                            medium.refresh()
                        except StorageError:
                            continue
            except PowerCut:
                disk.power_up()
            except StorageError:
                pass
            disk.held.clear()


def test_deleted_records_leave_no_rows_behind():
    disk = SimDisk()
    medium = SimRecords(disk)
    for number in range(50):
        medium.commit([Change("n", f"k{number}", b"x"), Change("n", f"k{number - 1}", None)])
        medium.refresh()
    medium.commit([Change("n", "last", b"x")])
    assert {len(cells.rows) for cells in disk.slots.values()} <= set(range(10))
    medium.die()
    assert SimRecords(disk).load("n") == {"k49": b"x", "last": b"x"}


def test_the_medium_has_one_holder():
    disk = SimDisk()
    SimRecords(disk)
    with pytest.raises(DoorUnavailable):
        SimRecords(disk)


def test_two_unreadable_files_refuse_to_open():
    class Unreadable(SimDisk):
        def check_power(self):
            raise StorageError("read", "input/output error")

    with pytest.raises(StorageError):
        SimRecords(Unreadable())


def test_a_good_slot_in_a_wrong_place_is_damage():
    """A row whose number was hit: taken as it stands, the next write would destroy another record's newest version."""
    for name in ("store.first", "store.second"):
        disk = SimDisk()
        work(disk, [])
        rows = disk.slots[name].rows
        (side, number), other = max(rows), min(rows)[1]
        rows[side, other] = rows.pop((side, number))
        medium = SimRecords(disk)
        assert medium.faults > 0
        assert loaded(medium) == state_after(8)
        medium.commit([Change("energy", "total", b"9")])
        medium.die()
        again = SimRecords(disk)
        assert (again.load("energy"), again.faults) == (state_after(8)["energy"] | {"total": b"9"}, 0)


def test_an_older_version_in_the_place_of_the_newest_is_noticed():
    """Good checksum, wrong version: a write that the medium acknowledged and lost."""
    disk = SimDisk()
    medium = SimRecords(disk)
    medium.commit([Change("n", "count", b"1")])
    before = dict(disk.slots["store.first"].rows)
    medium.commit([Change("n", "count", b"2")])
    medium.commit([Change("n", "count", b"3")])
    disk.slots["store.first"].rows.update(before)
    assert medium.load("n") == {"count": b"3"}, "known from memory"
    assert medium.faults > 0


def test_mending_while_running_brings_the_second_copy_up_to_date_first():
    """Damage and then a cut: only a cut before the second copy is up to date may cost what nobody was promised."""
    costly = 0
    for cut in range(1, 200):
        disk = SimDisk(seed=cut)
        medium = SimRecords(disk)
        medium.commit([Change("n", f"k{n}", b"x") for n in range(40)])
        medium.commit([Change("n", "count", b"1")], both=True)
        medium.commit([Change("n", "count", b"2")])
        disk.slots["store.first"].is_malformed = True
        disk.cut_at_write = disk.writes + cut
        try:
            medium.commit([Change("n", "count", b"3")])
            break
        except PowerCut:
            disk.power_up()
        found = SimRecords(disk).load("n")
        assert len(found) == 41
        costly += found["count"] == b"1"
    assert cut > 40
    assert costly <= 3
