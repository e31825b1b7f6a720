"""Reading load records (06ccxxxx): how many, from when, page after page, because an answer holds 99 and often fewer.

The first page is asked for as the item says, the oldest records or those from a time on; the pages that follow from the
minute after the last record that came, until there are as many as were wanted, or no more. The newest ones have no
other page than the first.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from wattwheel.model.catalogue import Item
from wattwheel.model.errors import BadInput, ItemValueError
from wattwheel.protocols.dlt645 import items as codec
from wattwheel.protocols.dlt645.master import Answer, Ask

RECORDS_A_PAGE_MAX = 99
"""The number of records is one octet, BCD."""
RECORDS_MAX = 100_000
FROM_FORMAT = "%Y-%m-%dT%H:%M"
ERR_NO_DATA = 0x02
EARLIEST, FROM_TIME, LATEST = range(3)
_TIME, _MINUTE = "%y%m%d%H%M", timedelta(minutes=1)
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, 23, 59, tzinfo=UTC)


class Wanted(NamedTuple):
    """Which load records: how many (None: one), and from when in the meter's local standard time (None: no time)."""

    records: int | None = None
    since: datetime | None = None


ONE_RECORD = Wanted()


def wanted_of(records: int | None, since: str | None) -> Wanted:
    """What `--records` and `--from` say. Raises BadInput."""
    if records is not None and not 1 <= records <= RECORDS_MAX:
        raise BadInput(f"--records: found {records}; allowed: 1 to {RECORDS_MAX}")
    if since is None:
        return Wanted(records)
    try:
        time = datetime.strptime(since, FROM_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        time = _LAST + _MINUTE
    if not _FIRST <= time <= _LAST:
        raise BadInput(f"--from: found {since!r}; allowed: a time of 2000 to 2099 such as 2026-03-01T00:00")
    return Wanted(records, time)


def is_load_record(item: Item) -> bool:
    """Whether `item` is load records."""
    return item.edition == "2007" and item.picture == codec.LOAD_RECORD


def check(items: list[Item], wanted: Wanted) -> None:
    """Raises BadInput where options and items do not go together."""
    if wanted != ONE_RECORD and not any(map(is_load_record, items)):
        raise BadInput("--records and --from: no load record (06xxxxxx) is among the items")
    for item in filter(is_load_record, items):
        which, text = item.di & 0xFF, item.di_text
        if which == FROM_TIME and wanted.since is None:
            raise BadInput(f"{text}: give the time of the first record, such as --from 2026-03-01T00:00")
        if which != FROM_TIME and wanted.since is not None:
            raise BadInput(f"{text} has no time; for records --from a time read {item.di & ~0xFF | FROM_TIME:08X}")
        if which == LATEST and (wanted.records or 1) > RECORDS_A_PAGE_MAX:
            more = f"for more read {item.di & ~0xFF | FROM_TIME:08X} --from a time"
            raise BadInput(f"{text} --records {wanted.records}: allowed: the 1 to {RECORDS_A_PAGE_MAX} newest; {more}")


class RecordPages:
    """The dialogue about one item: what to ask next, until `ask` is None.

    Attributes:
        octets: all records so far.
        count: how many they are.
    """

    def __init__(self, item: Item, wanted: Wanted) -> None:
        self._item, self._left = item, wanted.records or 1
        self.octets, self.count = b"", 0
        self._di = item.di
        self._newest: datetime | None = None
        self.ask: Ask | None = Ask(item.di, parameters=self._parameters(wanted.since, wanted.records is not None))

    def _parameters(self, since: datetime | None, has_count: bool = True) -> bytes:
        if since is None and not has_count:
            return b""
        time = b"" if since is None else bytes.fromhex(f"{since:{_TIME}}")[::-1]
        return bytes.fromhex(f"{min(self._left, RECORDS_A_PAGE_MAX):02d}") + time

    def take(self, answer: Answer) -> Answer | None:
        """Take the answer to `ask`. A refusal of the first page comes back; None: it was records, or their end."""
        self.ask = None
        if answer.error is not None:
            return answer if not self.count or answer.error != ERR_NO_DATA else None
        times = self._times(answer.data)
        if times is None and not self.count:  # octets that are no records: shown as they are
            self.octets = answer.data
        elif times and (self._newest is None or times[0] > self._newest):
            self.octets += answer.data
            self.count += len(times)
            self._left -= len(times)
            self._newest = times[-1]
            if self._left > 0 and self._di & 0xFF != LATEST:
                self._di = self._di & ~0xFF | FROM_TIME
                self.ask = Ask(self._di, parameters=self._parameters(self._newest + _MINUTE))
        return None

    def _times(self, octets: bytes) -> list[datetime] | None:
        """Times of the records in `octets`; None: they are none."""
        try:
            records = codec.decode(self._item, octets).parts
            assert records is None or all(record.parts for record in records)
            if records is None:
                return None
            digits = [record.parts[0].value for record in records if record.parts]
            return [datetime.strptime(str(each), _TIME).replace(tzinfo=UTC) for each in digits]
        except (ItemValueError, ValueError):
            return None
