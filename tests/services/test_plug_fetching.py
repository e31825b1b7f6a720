"""Plug records are fetched from the core when a push tells of others, and again until they have come."""

from __future__ import annotations

from wattwheel.model.contacts import NO_SERIAL
from wattwheel.model.core_records import CoreStatus
from wattwheel.model.plug_records import PlugEvent, PlugRecord, PlugRecords
from wattwheel.protocols.corelink import Kind
from wattwheel.protocols.corelink_bodies import Result
from wattwheel.services.plug_fetching import PlugFetching

RECORD = PlugRecord(5, NO_SERIAL, NO_SERIAL, PlugEvent.REMOVED)


class Bench:
    def __init__(self):
        self.answers, self.news, self.is_full = [], [], False
        self.fetching = PlugFetching(self.ask, lambda: self.news.append(self.fetching.octets))

    def ask(self, kind, body, on_answer):
        assert (kind, body) == (Kind.PLUG_RECORDS, b"")
        if not self.is_full:
            self.answers.append(on_answer)
        return not self.is_full

    def hear(self, told):
        self.fetching.hear(CoreStatus(plug_epoch=told.epoch, plug_count=told.count))


def test_they_are_fetched_once_for_each_other_count_or_memory():
    bench, told = Bench(), PlugRecords()
    bench.hear(told)
    assert bench.answers == []
    for number, epoch in enumerate((7, 7, 8), 1):
        told = told.added(RECORD, epoch) if epoch == 7 else PlugRecords().added(RECORD, epoch)
        for _ in range(3):
            bench.hear(told)
        assert len(bench.answers) == number
        bench.answers[-1](Result.GOOD, told.to_octets())
        bench.hear(told)
        assert len(bench.answers) == number
        assert bench.news[-1] == bench.fetching.octets == told.to_octets()
    assert len(bench.news) == 3


def test_what_was_not_answered_is_asked_for_again_with_the_next_push():
    bench, told = Bench(), PlugRecords().added(RECORD, 7)
    bench.is_full = True
    bench.hear(told)
    bench.is_full = False
    answers = ((None, b""), (Result.NOT_AVAILABLE, b""), (Result.GOOD, b"none"), (Result.GOOD, told.to_octets()))
    for number, answer in enumerate(answers, 1):
        bench.hear(told)
        assert len(bench.answers) == number
        assert bench.fetching.octets == b""
        bench.answers[-1](*answer)
    bench.hear(told)
    assert (len(bench.answers), len(bench.news)) == (4, 1)
    assert not bench.fetching.take(b"none")
    assert bench.fetching.take(told.to_octets())
    assert len(bench.news) == 1
