"""The demand against a plain model: a list of minutes, and every window and maximum found anew from the whole list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.apps.demand_bench import KILOWATT_MINUTE, NONE, Bench

from wattwheel.model.demand import PERIOD, SLIP
from wattwheel.sdk import Function

EVENING = datetime(2026, 6, 30, 23, 38, tzinfo=UTC)
SETTLED = EVENING.replace(month=7, day=1, hour=0, minute=0)
PASSED_BY = SETTLED.replace(hour=1)
MINUTE = timedelta(minutes=1)
WORDS = (0x41, 0x24)  # I + IV; II - III
DAY = "235003" + "001302" + "000001"  # in order of time on the wire from the end
WRITTEN = {
    0x04000204: "03",
    0x04000203: "03",
    0x04010001: DAY,
    0x04000602: f"{WORDS[0]:02x}",
    0x04000603: f"{WORDS[1]:02x}",
    0x04000B02: "0101",
    PERIOD: "05",
}
METHODS = ((5, 1), (5, 5), (10, 2), (10, 5), (15, 3))
BASES = (0x01, 0x15, 0x29, 0x3D)


class Minute:
    """What one minute had: energies of the registers, the tariff in it, and whether it may count."""

    def __init__(self, end, energies, tariff, is_good, is_good_for_tariff, method):
        self.end, self.energies, self.tariff, self.method = end, energies, tariff, method
        self.is_good, self.is_good_for_tariff = is_good, is_good_for_tariff
        self.begins_anew = False


def net(minute, element):
    forward, reverse, q1, q2, q3, q4 = minute.energies[8 * element : 8 * element + 6]
    return (forward - reverse, q1 + q2 - q3 - q4), (forward and reverse, (q1 + q2) and (q3 + q4))


def directions(minutes, element):
    """Of each minute: signs of active and reactive power, and for both whether it begins and whether it is mixed."""
    found, signs = [], (1, 1)
    for minute in minutes:
        flips, mixed = (False, False), (False, False)
        if minute.is_good:
            nets, mixed = net(minute, element)
            new = tuple((1 if own > 0 else -1) if own else sign for own, sign in zip(nets, signs, strict=True))
            flips, signs = tuple(a != b for a, b in zip(new, signs, strict=True)), new
        found.append((signs, flips, mixed))
    return found


def run_length(minutes, ways, last, is_reactive):
    """How many minutes up to `last` a window may reach back."""
    count = 0
    for at in range(last, -1, -1):
        _signs, flips, mixed = ways[at]
        watched = (0, 1) if is_reactive else (0,)
        if not minutes[at].is_good or any(flips[each] and mixed[each] for each in watched):
            break
        count += 1
        if minutes[at].begins_anew or any(flips[each] for each in watched):
            break
    return count


def tariff_length(minutes, last):
    count = 0
    for at in range(last, -1, -1):
        minute = minutes[at]
        if not (minute.is_good and minute.is_good_for_tariff) or minute.tariff != minutes[last].tariff:
            break
        count += 1
        if minute.begins_anew:
            break
    return count


def view(microjoule, period):
    milli = (Decimal(microjoule) * 1000 / KILOWATT_MINUTE / period * 1000).quantize(Decimal(1), ROUND_HALF_UP)
    return int((milli / 100).quantize(Decimal(1), ROUND_HALF_UP))


def apparent(minute, element):
    return sum(minute.energies[8 * element + 6 : 8 * element + 8])


def demands(minutes, last, element, ways):
    """(place, value) of every whole window that ends with minute `last`."""
    period = minutes[last].method[0]
    (active_sign, reactive_sign), _, _ = ways[last]
    window = minutes[max(0, last + 1 - period) : last + 1]
    found = []
    if run_length(minutes, ways, last, False) >= period:
        found.append((0 if active_sign > 0 else 1, view(sum(abs(net(each, element)[0][0]) for each in window), period)))
        found.append((8 if active_sign > 0 else 9, view(sum(apparent(each, element) for each in window), period)))
    if run_length(minutes, ways, last, True) >= period:
        value = view(sum(abs(net(each, element)[0][1]) for each in window), period)
        own = {(1, 1): 0, (-1, 1): 1, (-1, -1): 2, (1, -1): 3}[(active_sign, reactive_sign)]
        found.append((4 + own, value))
        for at, word in enumerate(WORDS):
            sign = {0: 0, 1: 1, 2: -1, 3: 1}[word >> 2 * own & 3]
            found.append((2 + at, sign * value))
    return found


def maxima(minutes, since):
    """By DI2 and tariff: the maxima of all windows that end after the first `since` minutes."""
    best: dict[tuple[int, int], tuple[int, str]] = {}
    for element, base in enumerate(BASES):
        ways = directions(minutes, element)
        for last in range(since, len(minutes)):
            end, (period, slip) = minutes[last].end, minutes[last].method
            if (end.hour * 60 + end.minute) % slip or not minutes[last].is_good:
                continue
            tariffs = [0]
            if not element and tariff_length(minutes, last) >= period:
                tariffs.append(minutes[last].tariff)
            for place, value in demands(minutes, last, element, ways):
                for tariff in tariffs:
                    if abs(value) > abs(best.get((base + place, tariff), NONE)[0]):
                        best[base + place, tariff] = (value, f"{end:%y%m%d%H%M}")
    return best


class Model:
    """The list of minutes, how many of them are before the last clear, and the periods that have ended."""

    def __init__(self):
        self.minutes, self.since, self.periods = [], 0, []

    def add(self, end, energies, tariff, method, is_good=True, is_good_for_tariff=True):
        self.minutes.append(Minute(end, energies, tariff, is_good, is_good_for_tariff, method))
        if self.is_new:
            self.minutes[-1].begins_anew, self.is_new = True, False

    is_new = True

    def settle(self, at):
        if at == SETTLED:
            self.periods.insert(0, maxima(self.minutes, self.since))
            self.clear()
        elif at == PASSED_BY:
            self.periods.insert(0, None)

    def clear(self):
        self.since, self.is_new = len(self.minutes), True


def tariff_at(moment, constant):
    if constant is not None:
        return constant
    minute = moment.hour * 60 + moment.minute
    return 3 if minute >= 23 * 60 + 50 else 2 if minute >= 13 else 1


def check(own, model):
    now = maxima(model.minutes, model.since)
    wanted = [now, *model.periods]
    for period, best in enumerate(wanted):
        for base in BASES:
            for place in range(10):
                for tariff in range(4 if base == 1 else 1):
                    di = 0x01000000 | (base + place) << 16 | tariff << 8 | period
                    expected = "ff" if best is None else best.get((base + place, tariff), NONE)
                    assert own.maximum(di) == expected, f"{di:08X} at {own.at}"
    assert own.maximum(0x01010001 + len(model.periods)) is None


POWERS = st.tuples(st.sampled_from((0, 1, 2, 2, 2, 5, -1, -2)), st.sampled_from((0, 1, 1, 1, -1)))
STEPS = st.tuples(
    st.lists(POWERS, min_size=4, max_size=4),
    st.integers(0, 12),  # whole minutes of it
    st.sampled_from(((1, 1), (1, 1), (-2, -2), (1, -2), (-2, 1))),  # times active and reactive after the event
    st.sampled_from(("nothing", "kill", "supply", "dark", "clock", "method", "tariff", "clear", "unseen")),
    st.integers(0, 40),
    st.booleans(),  # a push at the half of that minute
)
NEEDS_PUSH = ("dark", "clear")


class Both:
    """A bench and the model of it, which live through the same."""

    def __init__(self):
        self.own, self.model = Bench(WRITTEN, EVENING), Model()
        self.own.push()
        self.method, self.tariff = (5, 1), None
        self.before = list(self.own.registers)
        self.settled_up_to = EVENING

    def flow(self, powers, seconds, times=(1, 1)):
        for element, (kilowatt, kilovar) in zip(("total", "a", "b", "c"), powers, strict=True):
            self.own.flow(times[0] * kilowatt, times[1] * kilovar, seconds, element)
        self.own.wait(seconds)

    def minutes_end(self, count=1, is_good=True, is_good_for_tariff=True):
        """The push at the end of the minute has come; the last `count` minutes were as they say."""
        own, model = self.own, self.model
        energies = [now - then for now, then in zip(own.registers, self.before, strict=True)]
        self.before = list(own.registers)
        for at in range(count - 1, -1, -1):
            end = own.at - at * MINUTE
            tariff = tariff_at(end - MINUTE, self.tariff_before)
            model.add(end, energies, tariff, self.method, is_good, is_good_for_tariff)
        self.tariff_before = self.tariff
        self.settle()

    tariff_before = None

    is_clock_set = False

    def settle(self):
        """After a push: an instant that has come settles, unless the clock was set since the push before."""
        for instant in (SETTLED, PASSED_BY):
            if self.settled_up_to < instant <= self.own.at and not self.is_clock_set:
                self.model.settle(instant)
        self.settled_up_to, self.is_clock_set = self.own.at, False

    def step(self, powers, minutes, times, event, number, is_pushed):
        own, model = self.own, self.model
        for _ in range(minutes):
            self.flow(powers, 60)
            own.push()
            self.minutes_end()
        self.flow(powers, 30)
        is_good, is_good_for_tariff, count = event in ("nothing", "kill", "method", "tariff"), True, 1
        if event in ("kill", "supply", "dark"):
            if event == "dark":
                count += number
                own.wait(60 * number)
            own.start(is_power_up=event != "kill")
        elif event == "clock":
            own.clock_changes += 1
            self.is_clock_set = True
        elif event == "method":
            method = METHODS[number % len(METHODS)]
            is_good, self.method = method == self.method, method
            own.write({PERIOD: f"{method[0]:02}", SLIP: f"{method[1]:02}"})
        elif event == "tariff":
            tariff = 1 + number % 3
            is_good_for_tariff = tariff_at(own.at, self.tariff) == tariff or not is_pushed
            self.tariff = tariff
            own.write({0x04010001: f"0000{tariff:02}"})
        elif event == "unseen":
            count += 1 + number
            self.flow(powers, 60 * (1 + number))
        if event != "unseen" and (is_pushed or event in NEEDS_PUSH):
            own.push()
            self.settle()
        if event == "clear":
            assert own.command(Function.CLEAR_DEMAND) == b""
            model.clear()
        self.flow(powers, 30, times)
        own.push()
        self.minutes_end(count, is_good, is_good_for_tariff)


IDLE = [(0, 0)] * 4
TO_MIDNIGHT = [(IDLE, minutes, (1, 1), "nothing", 0, False) for minutes in (1, 1, 3, 12)]


@settings(deadline=None)
@given(st.lists(STEPS, max_size=12))
@example([*TO_MIDNIGHT, (IDLE, 0, (1, 1), "clock", 0, False)])
@example([*TO_MIDNIGHT, (IDLE, 0, (1, 1), "clock", 0, True)])
def test_it_is_what_a_plain_list_of_minutes_says(steps):
    both = Both()
    for at, step in enumerate(steps, 1):
        both.step(*step)
        if at % 4 == 0 or at == len(steps):
            check(both.own, both.model)
