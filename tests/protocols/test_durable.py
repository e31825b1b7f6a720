"""The durable record: octets there and back, damage always noticed, and only whole states put together."""

from hypothesis import given
from hypothesis import strategies as st

from wattwheel.protocols.durable import (
    MARK_KEY,
    Mark,
    Record,
    as_of,
    decode,
    encode,
    mark_of,
    marks,
    moved_mark,
    settle,
)

NAMES = st.text(min_size=1, max_size=60)
RECORDS = st.builds(Record, NAMES, st.text(max_size=60), st.integers(0, 2**64 - 1), st.none() | st.binary(max_size=300))


@given(RECORDS)
def test_round_trip(record):
    assert decode(encode(record)) == record


def test_layout_is_fixed():
    octets = encode(Record("energy", "total", 7, b"\x01\x02"))
    assert octets.hex() == "463fe75101000605070000000000000002000000" + b"energytotal".hex() + "0102"


@given(RECORDS, st.data())
def test_every_flipped_bit_is_noticed(record, data):
    octets = bytearray(encode(record))
    bit = data.draw(st.integers(0, 8 * len(octets) - 1))
    octets[bit // 8] ^= 1 << bit % 8
    assert decode(bytes(octets)) is None


@given(RECORDS, st.data())
def test_every_truncation_and_every_appendix_is_noticed(record, data):
    octets = encode(record)
    assert decode(octets[: data.draw(st.integers(0, len(octets) - 1))]) is None
    assert decode(octets + b"\0") is None


@given(st.binary(max_size=100))
def test_noise_never_raises(noise):
    assert decode(noise) is None


def test_names_that_are_not_text_are_refused():
    import zlib

    body = encode(Record("ab", "", 1, b""))[4:].replace(b"ab", b"\xff\xfe")
    assert decode(zlib.crc32(body).to_bytes(4, "little") + body) is None


CHANGES = st.dictionaries(st.sampled_from("abcdef"), st.none() | st.binary(max_size=4), min_size=1, max_size=4)


def history(transactions):
    """All versions ever written, and the state after each transaction."""
    live, mark, versions, states = {}, mark_of({}, 0), [], [{}]
    for generation, changes in enumerate(transactions, 1):
        changes = {key: payload for key, payload in changes.items() if payload is not None or key in live}
        before = [(key, live[key]) for key in changes if key in live]
        after = [key for key, payload in changes.items() if payload is not None]
        mark = moved_mark(mark, generation, before, after)
        for key, payload in changes.items():
            versions.append(Record("n", key, generation, payload))
            live.pop(key, None)
            if payload is not None:
                live[key] = generation
        assert mark == mark_of(live, generation)
        versions.append(mark.as_record("n"))
        states.append({key: payload for key, payload in states[-1].items() if key not in changes})
        states[-1] |= {key: payload for key, payload in changes.items() if payload is not None}
    return versions, states


def payloads(settled):
    return {key: record.payload for key, record in settled.records.items()}


@given(st.lists(CHANGES, min_size=1, max_size=8))
def test_a_whole_history_settles_to_its_last_state(transactions):
    versions, states = history(transactions)
    settled = settle(versions, [])
    assert (payloads(settled), settled.generation, settled.is_whole) == (states[-1], len(transactions), True)
    assert settle([], versions) == settled


@given(st.lists(CHANGES, min_size=1, max_size=8), st.data())
def test_with_any_versions_missing_a_state_that_once_was_is_returned_or_it_says_so(transactions, data):
    versions, states = history(transactions)
    kept = data.draw(st.lists(st.sampled_from(versions), unique=True)) if versions else []
    first = [record for record in kept if data.draw(st.booleans())]
    second = [record for record in kept if record not in first]
    settled = settle(first, second)
    if settled.is_whole:
        assert payloads(settled) == states[settled.generation]


def test_without_any_mark_each_newest_good_record_is_taken_and_doubt_told():
    settled = settle([Record("n", "a", 3, b"old"), Record("n", "a", 5, b"new")], [Record("n", "b", 4, b"b")])
    assert (payloads(settled), settled.is_whole) == ({"a": b"new", "b": b"b"}, False)


def test_nothing_at_all_is_an_empty_whole_state():
    assert settle([], []) == ({}, 0, True)


def test_a_mark_of_wrong_length_is_no_mark():
    assert marks([Record("n", MARK_KEY, 1, b"short"), Mark(2, 0, 0).as_record("n")]) == [Mark(2, 0, 0)]


def test_as_of_leaves_out_younger_deleted_and_marks():
    pool = [
        Record("n", "a", 1, b"1"),
        Record("n", "a", 3, b"3"),
        Record("n", "b", 2, b"2"),
        Record("n", "b", 3, None),
        Mark(3, 1, 0).as_record("n"),
    ]
    assert sorted(as_of(pool, 2)) == ["a", "b"]
    assert {key: record.generation for key, record in as_of(pool, 3).items()} == {"a": 3}
