"""Every row of the table of return codes, each asked of the real services. A-01."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.apex.stage import DEPTH, MS, REFRESH_NS, SIZE, LossySimDestination, Stage

from wattwheel.apex.codes import Discipline, ErrorCode, OperatingMode, PortDirection, ReturnCode
from wattwheel.apex.limits import INFINITE, LOCK_LEVEL_MAX, PROCESSES_MAX, TIME_NS_MAX
from wattwheel.apex.process import ProcessAttributes
from wattwheel.hil.process import PartitionFrame

ROWS = json.loads((Path(__file__).parents[2] / "vectors/apex-return-codes.json").read_text())
CASES = {}
FIFO, PRIORITY = Discipline
SOURCE, DESTINATION = PortDirection
UNKNOWN = 99


def case(service, condition):
    """The function gives all codes that the row's condition leads to."""

    def remember(function):
        CASES[(service, condition)] = function
        return function

    return remember


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['service']} {row['condition']}")
def test_row(row):
    codes = CASES[(row["service"], row["condition"])](Stage())
    assert codes
    assert {code.name for code in codes} == {row["code"]}
    assert all(isinstance(code, ReturnCode) for code in codes)


def test_every_row_and_no_other_has_a_case():
    assert {(row["service"], row["condition"]) for row in ROWS} == set(CASES)
    assert len(ROWS) == 81


def idle():
    while True:
        yield


def attributes(name="one", priority=10, period_ns=INFINITE, capacity_ns=INFINITE):
    return ProcessAttributes(name, idle, priority, period_ns, capacity_ns)


def inside(stage, steps, seconds=0.0, **about):
    """The codes that `steps`, a generator function of one list to append to, notes in a process in mode NORMAL."""
    noted = []
    stage.process(lambda: steps(noted), **about)
    stage.go(seconds)
    return noted


def eager(call):
    """A process that calls and notes the outcome of a service that acts at once."""

    def steps(noted):
        noted.append(call())
        yield

    return steps


def asked(request):
    """A process that yields what `request` makes, and notes the outcome."""

    def steps(noted):
        noted.append((yield request()))

    return steps


# -- processes


@case("CREATE_PROCESS", "mode NORMAL")
def _(stage):
    stage.go()
    return [stage.apex.CREATE_PROCESS(attributes())[1]]


@case("CREATE_PROCESS", "limit reached")
def _(stage):
    for number in range(PROCESSES_MAX):
        stage.process(idle, f"p{number}")
    return [stage.apex.CREATE_PROCESS(attributes())[1]]


@case("CREATE_PROCESS", "name exists")
def _(stage):
    first = stage.process(idle, "one")
    again = [stage.apex.CREATE_PROCESS(attributes(name)) for name in ("one", "ONE")]
    assert {identifier for identifier, _ in again} == {first}
    return [code for _, code in again]


@case("CREATE_PROCESS", "priority 0 or 240")
def _(stage):
    assert stage.apex.CREATE_PROCESS(attributes("least", 1))[1] == stage.apex.CREATE_PROCESS(attributes("most", 239))[1]
    return [stage.apex.CREATE_PROCESS(attributes(priority=priority))[1] for priority in (0, 240, -1)]


@case("CREATE_PROCESS", "period less than capacity")
def _(stage):
    assert stage.apex.CREATE_PROCESS(attributes("equal", period_ns=MS, capacity_ns=MS))[1] == 0
    return [stage.apex.CREATE_PROCESS(attributes(period_ns=MS, capacity_ns=MS + 1))[1]]


@case("CREATE_PROCESS", "period not a multiple of partition period")
def _(_):
    stage = Stage(PartitionFrame(0, 20 * MS, 10 * MS, 2 * MS, ((0, 2 * MS), (10 * MS, 2 * MS)), (0, 10 * MS)))
    assert stage.apex.CREATE_PROCESS(attributes("fits", period_ns=30 * MS))[1] == 0
    return [stage.apex.CREATE_PROCESS(attributes(period_ns=period_ns))[1] for period_ns in (5 * MS, 15 * MS)]


@case("GET_PROCESS_ID", "unknown name")
def _(stage):
    assert stage.apex.GET_PROCESS_ID("ONE") == (stage.process(idle, "xyz") - 1, ReturnCode.INVALID_CONFIG)
    assert stage.apex.GET_PROCESS_ID("xYz") == (1, ReturnCode.NO_ERROR)
    return [stage.apex.GET_PROCESS_ID("one")[1]]


@case("GET_PROCESS_STATUS", "unknown id")
def _(stage):
    stage.process(idle)
    return [stage.apex.GET_PROCESS_STATUS(identifier)[1] for identifier in (0, 2, UNKNOWN, -1)]


@case("SET_PRIORITY", "unknown id")
def _(stage):
    return [stage.apex.SET_PRIORITY(identifier, 10) for identifier in (0, UNKNOWN)]


@case("SET_PRIORITY", "out of range")
def _(stage):
    process = stage.process(idle)
    assert stage.apex.SET_PRIORITY(process, 239) == 0
    return [stage.apex.SET_PRIORITY(process, priority) for priority in (0, 240)]


@case("SET_PRIORITY", "process DORMANT")
def _(stage):
    return [stage.apex.SET_PRIORITY(stage.process(idle, is_started=False), 10)]


def unknown_or_self(service):
    """`service` called with nobody's identifier and the caller's own."""

    def codes(stage):
        act = getattr(stage.apex, service)
        return [act(UNKNOWN), act(0), *inside(stage, eager(lambda: act(1)))]

    return codes


for _service in ("SUSPEND", "RESUME", "STOP"):
    case(_service, "unknown or self")(unknown_or_self(_service))


@case("SUSPEND", "DORMANT")
def _(stage):
    return [stage.apex.SUSPEND(stage.process(idle, is_started=False))]


@case("SUSPEND", "periodic")
def _(stage):
    return [stage.apex.SUSPEND(stage.process(idle, period_ns=MS))]


@case("SUSPEND", "already suspended")
def _(stage):
    process = stage.process(lambda: iter_wait(stage))
    stage.go()
    assert stage.apex.SUSPEND(process) == 0
    return [stage.apex.SUSPEND(process)]


def iter_wait(stage):
    yield stage.apex.TIMED_WAIT(1000 * MS)


@case("SUSPEND_SELF", "timeout out of range")
def _(stage):
    def steps(noted):
        noted.append((yield stage.apex.SUSPEND_SELF(-2)))
        noted.append((yield stage.apex.SUSPEND_SELF(TIME_NS_MAX)))

    return inside(stage, steps)


@case("SUSPEND_SELF", "periodic")
def _(stage):
    return inside(stage, asked(lambda: stage.apex.SUSPEND_SELF(MS)), period_ns=MS)


@case("SUSPEND_SELF", "preemption locked")
def _(stage):
    def steps(noted):
        stage.apex.LOCK_PREEMPTION()
        noted.append((yield stage.apex.SUSPEND_SELF(MS)))

    return inside(stage, steps)


@case("SUSPEND_SELF", "timeout elapsed")
def _(stage):
    return inside(stage, asked(lambda: stage.apex.SUSPEND_SELF(MS)), seconds=0.01)


@case("RESUME", "DORMANT")
def _(stage):
    return [stage.apex.RESUME(stage.process(idle, is_started=False))]


@case("RESUME", "periodic")
def _(stage):
    return [stage.apex.RESUME(stage.process(idle, period_ns=MS))]


@case("RESUME", "not suspended")
def _(stage):
    return [stage.apex.RESUME(stage.process(idle))]


@case("STOP", "already DORMANT")
def _(stage):
    return [stage.apex.STOP(stage.process(idle, is_started=False))]


@case("START", "unknown")
def _(stage):
    return [stage.apex.START(identifier) for identifier in (0, UNKNOWN)]


@case("START", "not DORMANT")
def _(stage):
    return [stage.apex.START(stage.process(idle))]


@case("DELAYED_START", "delay infinite or negative")
def _(stage):
    process = stage.process(idle, is_started=False)
    return [stage.apex.DELAYED_START(process, delay_ns) for delay_ns in (INFINITE, -2, TIME_NS_MAX)]


@case("DELAYED_START", "periodic and delay >= period")
def _(stage):
    process = stage.process(idle, period_ns=MS, is_started=False)
    codes = [stage.apex.DELAYED_START(process, delay_ns) for delay_ns in (MS, MS + 1)]
    assert stage.apex.DELAYED_START(process, MS - 1) == 0
    return codes


@case("DELAYED_START", "not DORMANT")
def _(stage):
    return [stage.apex.DELAYED_START(stage.process(idle), MS)]


@case("LOCK_PREEMPTION", "level at maximum 16")
def _(stage):
    def steps(noted):
        for level in range(1, LOCK_LEVEL_MAX + 1):
            assert stage.apex.LOCK_PREEMPTION() == (level, ReturnCode.NO_ERROR)
        noted.append(stage.apex.LOCK_PREEMPTION()[1])
        yield

    return inside(stage, steps)


@case("LOCK_PREEMPTION", "mode not NORMAL")
def _(stage):
    return [stage.apex.LOCK_PREEMPTION()[1]]


@case("UNLOCK_PREEMPTION", "level 0")
def _(stage):
    return inside(stage, eager(lambda: stage.apex.UNLOCK_PREEMPTION()[1]))


@case("GET_MY_ID", "outside a process")
def _(stage):
    before = stage.apex.GET_MY_ID()[1]
    assert inside(stage, eager(stage.apex.GET_MY_ID)) == [(1, ReturnCode.NO_ERROR)]
    return [before, stage.apex.GET_MY_ID()[1]]


# -- time


@case("TIMED_WAIT", "negative")
def _(stage):
    def steps(noted):
        for delay_ns in (-1, -2, TIME_NS_MAX):
            noted.append((yield stage.apex.TIMED_WAIT(delay_ns)))

    return inside(stage, steps)


def handler_codes(stage, request):
    """The codes that the error handler gets for what `request` makes."""
    noted = []

    def handler():
        noted.append((yield request()))
        stage.apex.GET_ERROR_STATUS()

    assert stage.apex.CREATE_ERROR_HANDLER(handler) == 0
    inside(stage, eager(lambda: stage.apex.RAISE_APPLICATION_ERROR(ErrorCode.APPLICATION_ERROR, b"x")))
    return noted


@case("TIMED_WAIT", "lock held or handler")
def _(stage):
    def steps(noted):
        stage.apex.LOCK_PREEMPTION()
        noted.append((yield stage.apex.TIMED_WAIT(MS)))
        noted.append((yield stage.apex.TIMED_WAIT(0)))

    return inside(stage, steps) + handler_codes(stage := Stage(), lambda: stage.apex.TIMED_WAIT(MS))


@case("PERIODIC_WAIT", "aperiodic process")
def _(stage):
    return inside(stage, asked(stage.apex.PERIODIC_WAIT))


@case("REPLENISH", "not NORMAL")
def _(stage):
    return [stage.apex.REPLENISH(MS)]


@case("REPLENISH", "periodic, deadline beyond next release")
def _(stage):
    def steps(noted):
        assert stage.apex.REPLENISH(10 * MS) == 0
        noted.append(stage.apex.REPLENISH(10 * MS + 1))
        noted.append(stage.apex.REPLENISH(INFINITE))
        yield

    return inside(stage, steps, period_ns=10 * MS, capacity_ns=5 * MS)


# -- partition


@case("SET_PARTITION_MODE", "unknown mode")
def _(stage):
    return [stage.apex.SET_PARTITION_MODE(mode) for mode in (-1, 4)]


@case("SET_PARTITION_MODE", "NORMAL while NORMAL")
def _(stage):
    stage.go()
    return [stage.apex.SET_PARTITION_MODE(OperatingMode.NORMAL)]


@case("SET_PARTITION_MODE", "WARM_START while COLD_START")
def _(stage):
    return [stage.apex.SET_PARTITION_MODE(OperatingMode.WARM_START)]


# -- sampling ports


def sampling(stage):
    apex = stage.apex
    inward, code = apex.CREATE_SAMPLING_PORT("s_in", SIZE, DESTINATION, REFRESH_NS)
    outward, other = apex.CREATE_SAMPLING_PORT("s_out", SIZE, SOURCE, 0)
    assert code == other == 0
    return inward, outward


@case("CREATE_SAMPLING_PORT", "mode NORMAL")
def _(stage):
    stage.go()
    return [stage.apex.CREATE_SAMPLING_PORT("s_in", SIZE, DESTINATION, REFRESH_NS)[1]]


@case("CREATE_SAMPLING_PORT", "not configured / size / direction / refresh mismatch")
def _(stage):
    wrong = [
        ("other", SIZE, DESTINATION, REFRESH_NS),
        ("q_in", SIZE, DESTINATION, REFRESH_NS),
        ("s_in", SIZE - 1, DESTINATION, REFRESH_NS),
        ("s_in", 0, DESTINATION, REFRESH_NS),
        ("s_in", SIZE, SOURCE, REFRESH_NS),
        ("s_out", SIZE, DESTINATION, REFRESH_NS),
        ("s_in", SIZE, DESTINATION, REFRESH_NS - 1),
    ]
    return [stage.apex.CREATE_SAMPLING_PORT(*arguments)[1] for arguments in wrong]


@case("CREATE_SAMPLING_PORT", "already created")
def _(stage):
    inward, _ = sampling(stage)
    identifier, code = stage.apex.CREATE_SAMPLING_PORT("S_IN", SIZE, DESTINATION, REFRESH_NS)
    assert identifier == inward
    return [code]


@case("WRITE_SAMPLING_MESSAGE", "unknown id")
def _(stage):
    sampling(stage)
    return [stage.apex.WRITE_SAMPLING_MESSAGE(identifier, b"x") for identifier in (0, UNKNOWN)]


@case("WRITE_SAMPLING_MESSAGE", "too long")
def _(stage):
    _, outward = sampling(stage)
    assert stage.apex.WRITE_SAMPLING_MESSAGE(outward, bytes(SIZE)) == 0
    return [stage.apex.WRITE_SAMPLING_MESSAGE(outward, bytes(SIZE + 1))]


@case("WRITE_SAMPLING_MESSAGE", "not source")
def _(stage):
    return [stage.apex.WRITE_SAMPLING_MESSAGE(sampling(stage)[0], b"x")]


@case("READ_SAMPLING_MESSAGE", "empty")
def _(stage):
    message, validity, code = stage.apex.READ_SAMPLING_MESSAGE(sampling(stage)[0])
    assert (message, validity.name) == (b"", "INVALID")
    return [code]


@case("READ_SAMPLING_MESSAGE", "not destination")
def _(stage):
    return [stage.apex.READ_SAMPLING_MESSAGE(sampling(stage)[1])[2]]


@case("GET_SAMPLING_PORT_ID", "unknown name")
def _(stage):
    before = stage.apex.GET_SAMPLING_PORT_ID("s_in")[1]  # configured, and not yet open
    sampling(stage)
    assert stage.apex.GET_SAMPLING_PORT_ID("s_in") == (1, ReturnCode.NO_ERROR)
    return [before, stage.apex.GET_SAMPLING_PORT_ID("other")[1]]


# -- queuing ports


def queuing(stage, discipline=FIFO):
    inward, code = stage.apex.CREATE_QUEUING_PORT("q_in", SIZE, DEPTH, DESTINATION, discipline)
    outward, other = stage.apex.CREATE_QUEUING_PORT("q_out", SIZE, DEPTH, SOURCE, discipline)
    assert code == other == 0
    return inward, outward


@case("CREATE_QUEUING_PORT", "mode NORMAL")
def _(stage):
    stage.go()
    return [stage.apex.CREATE_QUEUING_PORT("q_in", SIZE, DEPTH, DESTINATION, FIFO)[1]]


@case("CREATE_QUEUING_PORT", "bad discipline")
def _(stage):
    return [stage.apex.CREATE_QUEUING_PORT("q_in", SIZE, DEPTH, DESTINATION, bad)[1] for bad in (-1, 2)]


@case("CREATE_QUEUING_PORT", "already created")
def _(stage):
    queuing(stage)
    return [stage.apex.CREATE_QUEUING_PORT("q_in", SIZE, DEPTH, DESTINATION, FIFO)[1]]


@case("SEND_QUEUING_MESSAGE", "unknown id")
def _(stage):
    queuing(stage)
    return [stage.apex.SEND_QUEUING_MESSAGE(identifier, b"x", 0).at_once() for identifier in (0, UNKNOWN)]


@case("SEND_QUEUING_MESSAGE", "too long")
def _(stage):
    return [stage.apex.SEND_QUEUING_MESSAGE(queuing(stage)[1], bytes(SIZE + 1), 0).at_once()]


@case("SEND_QUEUING_MESSAGE", "not source")
def _(stage):
    return [stage.apex.SEND_QUEUING_MESSAGE(queuing(stage)[0], b"x", 0).at_once()]


@case("SEND_QUEUING_MESSAGE", "full, timeout 0")
def _(stage):
    _, outward = queuing(stage)
    for _ in range(DEPTH):
        assert stage.apex.SEND_QUEUING_MESSAGE(outward, b"x", 0).at_once() == 0
    return [stage.apex.SEND_QUEUING_MESSAGE(outward, b"x", 0).at_once()]


@case("SEND_QUEUING_MESSAGE", "full, timeout elapsed")
def _(stage):
    _, outward = queuing(stage)

    def steps(noted):
        for _ in range(DEPTH):
            assert (yield stage.apex.SEND_QUEUING_MESSAGE(outward, b"x", MS)) == 0
        noted.append((yield stage.apex.SEND_QUEUING_MESSAGE(outward, b"x", MS)))

    codes = inside(stage, steps, seconds=0.1)
    assert len(stage.queues["q_out"].messages) == DEPTH
    return codes


@case("RECEIVE_QUEUING_MESSAGE", "empty, timeout 0")
def _(stage):
    message, code = stage.apex.RECEIVE_QUEUING_MESSAGE(queuing(stage)[0], 0).at_once()
    assert message == b""
    return [code]


@case("RECEIVE_QUEUING_MESSAGE", "empty, timeout elapsed")
def _(stage):
    inward, _ = queuing(stage)
    [(message, code)] = inside(stage, asked(lambda: stage.apex.RECEIVE_QUEUING_MESSAGE(inward, MS)), seconds=0.1)
    assert message == b""
    return [code]


@case("RECEIVE_QUEUING_MESSAGE", "messages lost before")
def _(stage):
    inward, _ = queuing(stage)
    stage.send_to("q_in", b"one", b"two")
    LossySimDestination.has_lost = True
    flagged = stage.apex.RECEIVE_QUEUING_MESSAGE(inward, 0).at_once()
    assert flagged[0] == b"one"
    assert stage.apex.RECEIVE_QUEUING_MESSAGE(inward, 0).at_once() == (b"two", ReturnCode.NO_ERROR)
    return [flagged[1]]


@case("CLEAR_QUEUING_PORT", "not destination")
def _(stage):
    return [stage.apex.CLEAR_QUEUING_PORT(queuing(stage)[1])]


# -- buffers, blackboards, semaphores, events


@case("CREATE_BUFFER", "size 0")
def _(stage):
    return [stage.apex.CREATE_BUFFER("b", 0, DEPTH, FIFO)[1]]


@case("SEND_BUFFER", "full, timeout 0")
def _(stage):
    buffer, _ = stage.apex.CREATE_BUFFER("b", SIZE, 1, FIFO)
    assert stage.apex.SEND_BUFFER(buffer, b"x", 0).at_once() == 0
    return [stage.apex.SEND_BUFFER(buffer, b"x", 0).at_once()]


@case("CREATE_BLACKBOARD", "size 0")
def _(stage):
    return [stage.apex.CREATE_BLACKBOARD("b", 0)[1]]


@case("DISPLAY_BLACKBOARD", "length 0 or too long")
def _(stage):
    blackboard, _ = stage.apex.CREATE_BLACKBOARD("b", SIZE)
    assert stage.apex.DISPLAY_BLACKBOARD(blackboard, bytes(SIZE)) == 0
    return [stage.apex.DISPLAY_BLACKBOARD(blackboard, message) for message in (b"", bytes(SIZE + 1))]


@case("READ_BLACKBOARD", "empty, timeout 0")
def _(stage):
    blackboard, _ = stage.apex.CREATE_BLACKBOARD("b", SIZE)
    before = stage.apex.READ_BLACKBOARD(blackboard, 0).at_once()[1]
    stage.apex.DISPLAY_BLACKBOARD(blackboard, b"x")
    assert stage.apex.READ_BLACKBOARD(blackboard, 0).at_once() == (b"x", ReturnCode.NO_ERROR)
    stage.apex.CLEAR_BLACKBOARD(blackboard)
    return [before, stage.apex.READ_BLACKBOARD(blackboard, 0).at_once()[1]]


@case("CREATE_SEMAPHORE", "current above maximum")
def _(stage):
    assert stage.apex.CREATE_SEMAPHORE("equal", 2, 2, FIFO)[1] == 0
    return [stage.apex.CREATE_SEMAPHORE("s", 3, 2, FIFO)[1]]


@case("WAIT_SEMAPHORE", "0, timeout 0")
def _(stage):
    semaphore, _ = stage.apex.CREATE_SEMAPHORE("s", 1, 2, FIFO)
    assert stage.apex.WAIT_SEMAPHORE(semaphore, 0).at_once() == 0
    return [stage.apex.WAIT_SEMAPHORE(semaphore, 0).at_once()]


@case("SIGNAL_SEMAPHORE", "at maximum")
def _(stage):
    semaphore, _ = stage.apex.CREATE_SEMAPHORE("s", 1, 2, FIFO)
    assert stage.apex.SIGNAL_SEMAPHORE(semaphore) == 0
    return [stage.apex.SIGNAL_SEMAPHORE(semaphore)]


@case("WAIT_EVENT", "down, timeout 0")
def _(stage):
    event, _ = stage.apex.CREATE_EVENT("e")
    before = stage.apex.WAIT_EVENT(event, 0).at_once()
    stage.apex.SET_EVENT(event)
    assert stage.apex.WAIT_EVENT(event, 0).at_once() == 0
    stage.apex.RESET_EVENT(event)
    return [before, stage.apex.WAIT_EVENT(event, 0).at_once()]


# -- mutexes


def mutexes(stage):
    one, two = (stage.apex.CREATE_MUTEX(name, 20, FIFO) for name in ("one", "two"))
    assert one[1] == two[1] == 0
    return one[0], two[0]


@case("ACQUIRE_MUTEX", "other mutex held")
def _(stage):
    one, two = mutexes(stage)

    def steps(noted):
        assert (yield stage.apex.ACQUIRE_MUTEX(one, INFINITE)) == 0
        noted.append((yield stage.apex.ACQUIRE_MUTEX(two, 0)))
        noted.append((yield stage.apex.ACQUIRE_MUTEX(two, INFINITE)))

    return inside(stage, steps)


@case("ACQUIRE_MUTEX", "own priority above mutex priority")
def _(stage):
    one, _ = mutexes(stage)
    return inside(stage, asked(lambda: stage.apex.ACQUIRE_MUTEX(one, 0)), priority=21)


@case("ACQUIRE_MUTEX", "lock count at maximum")
def _(stage):
    one, _ = mutexes(stage)

    def steps(noted):
        for _ in range(LOCK_LEVEL_MAX):
            assert (yield stage.apex.ACQUIRE_MUTEX(one, 0)) == 0
        noted.append((yield stage.apex.ACQUIRE_MUTEX(one, 0)))

    return inside(stage, steps)


# -- health


@case("CREATE_ERROR_HANDLER", "exists")
def _(stage):
    assert stage.apex.CREATE_ERROR_HANDLER(idle) == 0
    return [stage.apex.CREATE_ERROR_HANDLER(idle)]


@case("CREATE_ERROR_HANDLER", "mode NORMAL")
def _(stage):
    stage.go()
    return [stage.apex.CREATE_ERROR_HANDLER(idle)]


@case("GET_ERROR_STATUS", "caller not handler")
def _(stage):
    before = stage.apex.GET_ERROR_STATUS()[1]
    return [before, *inside(stage, eager(lambda: stage.apex.GET_ERROR_STATUS()[1]))]


@case("GET_ERROR_STATUS", "no error")
def _(stage):
    noted = []

    def handler():
        status, code = stage.apex.GET_ERROR_STATUS()
        assert (status.error_code, status.message, status.failed_process_id, code) == (1, b"x", 1, 0)
        noted.append(stage.apex.GET_ERROR_STATUS()[1])
        yield

    stage.apex.CREATE_ERROR_HANDLER(handler)
    inside(stage, eager(lambda: stage.apex.RAISE_APPLICATION_ERROR(ErrorCode.APPLICATION_ERROR, b"x")))
    return noted


@case("RAISE_APPLICATION_ERROR", "code not APPLICATION_ERROR")
def _(stage):
    others = [code for code in ErrorCode if code is not ErrorCode.APPLICATION_ERROR]
    return [stage.apex.RAISE_APPLICATION_ERROR(code, b"x") for code in [*others, 99]]


@case("RAISE_APPLICATION_ERROR", "message above 128 bytes")
def _(stage):
    assert stage.apex.RAISE_APPLICATION_ERROR(ErrorCode.APPLICATION_ERROR, bytes(128)) == 0
    return [stage.apex.RAISE_APPLICATION_ERROR(ErrorCode.APPLICATION_ERROR, bytes(129))]
