"""Processes: whose turn it is, waiting, periods, deadlines, the lock, errors."""

from __future__ import annotations

import pytest
from tests.apex.stage import MS, Stage

from wattwheel.apex.capacity import TASK_OVERRUNS, within_capacity
from wattwheel.apex.codes import Discipline, ErrorCode, OperatingMode, ProcessState, ReturnCode
from wattwheel.apex.limits import INFINITE, NO_MUTEX_OWNED, PREEMPTION_LOCK
from wattwheel.apex.process import ProcessAttributes, WaitRow
from wattwheel.apex.scheduler import STEPS_IN_A_ROW_MAX
from wattwheel.hil.process import PartitionFrame

OK, TIMED_OUT = ReturnCode.NO_ERROR, ReturnCode.TIMED_OUT


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def apex(stage):
    return stage.apex


def teller(story, name, steps=3, between=None):
    """A process that tells its steps and gives `between()` at each yield."""

    def entry():
        for step in range(steps):
            story.append(f"{name}{step}")
            yield None if between is None else between()

    return entry


# -- priorities


def test_the_most_urgent_runs_first_and_equals_in_the_order_of_their_starts(stage):
    story = []
    for name, priority in (("a", 5), ("b", 7), ("c", 5), ("d", 239), ("e", 1)):
        stage.process(teller(story, name, 2), name, priority)
    stage.go()
    assert story == ["d0", "d1", "b0", "b1", "a0", "a1", "c0", "c1", "e0", "e1"]


def test_nothing_runs_before_normal(stage):
    story = []
    process = stage.process(teller(story, "a"))
    stage.context.wheel.turn()
    assert (story, stage.state(process)) == ([], "WAITING")
    stage.go()
    assert (story, stage.state(process)) == (["a0", "a1", "a2"], "DORMANT")


def test_a_process_is_preempted_at_its_next_yield_and_not_before(stage, apex):
    story = []
    semaphore, _ = apex.CREATE_SEMAPHORE("s", 0, 1, Discipline.FIFO)

    def urgent():
        yield apex.WAIT_SEMAPHORE(semaphore, INFINITE)
        story.append("urgent")

    def slow():
        story.append("slow begins")
        assert apex.SIGNAL_SEMAPHORE(semaphore) is OK
        story.append("slow goes on")
        yield
        story.append("slow ends")

    stage.process(slow, priority=1)
    stage.process(urgent, priority=9)
    stage.go()
    assert story == ["slow begins", "slow goes on", "urgent", "slow ends"]


def test_a_preempted_process_stays_first_among_its_equals_and_one_that_gives_way_goes_behind(stage, apex):
    story = []
    stage.process(teller(story, "a"), priority=5)
    stage.process(teller(story, "b"), priority=5)
    stage.process(teller(story, "c", between=lambda: apex.TIMED_WAIT(0)), priority=4)
    stage.process(teller(story, "d", between=lambda: apex.TIMED_WAIT(0)), priority=4)
    stage.go()
    assert story[:6] == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert story[6:] == ["c0", "d0", "c1", "d1", "c2", "d2"]


def test_posted_tasks_of_the_wheel_come_between_two_steps(stage, apex):
    story = []
    wheel = stage.context.wheel
    wheel.task(30, lambda: story.append("task"))

    def entry():
        wheel.post(30)
        story.append("first")
        yield
        story.append("second")

    stage.process(entry, priority=239)
    stage.go()
    assert story == ["first", "task", "second"]


def test_a_process_that_never_rests_lets_the_loop_in(stage):
    steps = 0

    def busy():
        nonlocal steps
        while True:
            steps += 1
            yield

    stage.process(busy)
    assert stage.apex.SET_PARTITION_MODE(OperatingMode.NORMAL) is OK
    stage.context.wheel.turn()
    assert steps == STEPS_IN_A_ROW_MAX
    assert stage.clock.advance_until(lambda: steps > 2 * STEPS_IN_A_ROW_MAX, 0.001)


def test_set_priority(stage, apex):
    story = []
    low = stage.process(teller(story, "low"), priority=1)
    stage.process(teller(story, "mid"), priority=5)

    def raise_it():
        assert apex.SET_PRIORITY(low, 6) is OK
        story.append("raised")
        yield

    stage.process(raise_it, priority=9)
    stage.go()
    assert story == ["raised", "low0", "low1", "low2", "mid0", "mid1", "mid2"]
    assert apex.GET_PROCESS_STATUS(low)[0].current_priority == 1  # as created, for its next start


# -- waiting


def test_timed_wait_takes_its_time(stage, apex):
    at = []

    def entry():
        for _ in range(3):
            assert (yield apex.TIMED_WAIT(5 * MS)) is OK
            at.append(apex.GET_TIME()[0])

    stage.process(entry)
    begun = stage.clock.now_ns()
    stage.go(0.1)
    assert [instant - begun for instant in at] == [5 * MS, 10 * MS, 15 * MS]


def test_suspend_self_is_ended_by_resume_or_by_time(stage, apex):
    codes = []

    def sleeper():
        codes.append((yield apex.SUSPEND_SELF(INFINITE)))
        codes.append((yield apex.SUSPEND_SELF(0)))
        codes.append((yield apex.SUSPEND_SELF(MS)))
        codes.append((yield apex.SUSPEND_SELF(1000 * MS)))

    process = stage.process(sleeper)
    stage.go(0.01)
    assert (codes, stage.state(process)) == ([], "WAITING")
    assert apex.RESUME(process) is OK
    assert apex.RESUME(process) is ReturnCode.NO_ACTION
    stage.go(0.01)
    assert codes == [OK, OK, TIMED_OUT]
    assert apex.RESUME(process) is OK
    stage.go(2)
    assert (codes[3:], stage.state(process)) == ([OK], "DORMANT")


def test_what_a_suspended_process_waits_for_comes_meanwhile_and_it_goes_on_when_resumed(stage, apex):
    codes = []
    semaphore, _ = apex.CREATE_SEMAPHORE("s", 0, 1, Discipline.FIFO)

    def entry():
        codes.append((yield apex.WAIT_SEMAPHORE(semaphore, MS)))
        codes.append((yield apex.WAIT_SEMAPHORE(semaphore, INFINITE)))

    process = stage.process(entry)
    stage.go()
    assert apex.SUSPEND(process) is OK
    stage.go(0.01)
    assert (codes, stage.state(process)) == ([], "WAITING")
    assert apex.RESUME(process) is OK
    stage.go()
    assert codes == [TIMED_OUT]
    assert apex.SUSPEND(process) is OK
    assert apex.SIGNAL_SEMAPHORE(semaphore) is OK
    stage.go()
    assert apex.RESUME(process) is OK
    stage.go()
    assert (codes, stage.state(process)) == ([TIMED_OUT, OK], "DORMANT")


def test_resume_of_one_that_still_waits_leaves_it_waiting(stage, apex):
    codes = []
    semaphore, _ = apex.CREATE_SEMAPHORE("s", 0, 1, Discipline.FIFO)

    def entry():
        codes.append((yield apex.WAIT_SEMAPHORE(semaphore, 10 * MS)))

    process = stage.process(entry)
    stage.go()
    assert (apex.SUSPEND(process), apex.RESUME(process)) == (OK, OK)
    stage.go()
    assert codes == []
    stage.go(0.02)
    assert codes == [TIMED_OUT]


def test_suspended_while_ready(stage, apex):
    story = []
    other = stage.process(teller(story, "other", 1), priority=1)

    def entry():
        assert apex.SUSPEND(other) is OK
        yield

    stage.process(entry, priority=2)
    stage.go()
    assert (story, stage.state(other)) == ([], "WAITING")
    assert apex.RESUME(other) is OK
    stage.go()
    assert story == ["other0"]


def test_stop_gives_back_what_it_held_and_start_begins_anew(stage, apex):
    story = []
    mutex, _ = apex.CREATE_MUTEX("m", 20, Discipline.FIFO)
    semaphore, _ = apex.CREATE_SEMAPHORE("s", 0, 1, Discipline.FIFO)

    def owner():
        try:
            yield apex.ACQUIRE_MUTEX(mutex, INFINITE)
            story.append("owned")
            while True:
                yield
        finally:
            story.append("closed")

    def next_one():
        code = yield apex.ACQUIRE_MUTEX(mutex, INFINITE)
        story.append(code)
        yield apex.WAIT_SEMAPHORE(semaphore, 0)

    process = stage.process(owner, priority=3)
    stage.process(next_one, priority=4, is_started=False)

    def stopper():
        yield apex.TIMED_WAIT(MS)
        assert apex.START(2) is OK
        assert apex.STOP(process) is OK
        assert apex.STOP(process) is ReturnCode.NO_ACTION

    stage.process(stopper, priority=30)
    assert apex.SET_PARTITION_MODE(OperatingMode.NORMAL) is OK
    stage.context.wheel.turn()
    stage.clock.advance_until(lambda: "closed" in story, 0.01)
    stage.go(0.001)
    assert story == ["owned", "closed", OK]
    assert apex.GET_MUTEX_STATUS(mutex)[0].mutex_owner == 0
    assert apex.START(process) is OK
    stage.go()
    assert story[-1] == "owned"


def test_stop_self_never_comes_back(stage, apex):
    story = []

    def entry():
        story.append("before")
        yield apex.STOP_SELF()
        story.append("after")

    process = stage.process(entry)
    stage.go()
    assert (story, stage.state(process)) == (["before"], "DORMANT")
    assert apex.STOP_SELF().at_once() is ReturnCode.INVALID_MODE


def test_an_entry_that_is_no_generator_runs_to_its_end(stage):
    ran = []
    process = stage.process(lambda: ran.append(1))
    stage.go()
    assert (ran, stage.state(process)) == ([1], "DORMANT")


def test_delayed_start(stage, apex):
    at = []
    begun = stage.clock.now_ns()

    def entry():
        at.append(stage.clock.now_ns() - begun)
        yield

    process = stage.process(entry, is_started=False)
    assert apex.DELAYED_START(process, 7 * MS) is OK
    stage.go(0.1)
    assert at == [7 * MS]
    assert apex.DELAYED_START(process, 0) is OK
    stage.go()
    assert len(at) == 2


# -- mistakes of whoever writes a process


def test_a_forgotten_yield_is_found(stage, apex):
    def forgetful():
        apex.TIMED_WAIT(MS)
        yield apex.TIMED_WAIT(MS)

    stage.process(forgetful)
    with pytest.raises(AssertionError, match="not yielded"):
        stage.go()


def test_a_forgotten_yield_is_found_at_the_end_too(stage, apex):
    stage.process(lambda: apex.TIMED_WAIT(MS) and None)
    with pytest.raises(AssertionError, match="not yielded"):
        stage.go()


def test_only_requests_are_yielded(stage):
    def entry():
        yield 5

    stage.process(entry)
    with pytest.raises(AssertionError, match="not 5"):
        stage.go()


def test_a_process_cannot_take_the_short_cut(stage, apex):
    def entry():
        apex.TIMED_WAIT(MS).at_once()
        yield

    stage.process(entry)
    with pytest.raises(AssertionError, match="yields its requests"):
        stage.go()


def test_nobody_waits_outside_a_process(stage, apex):
    event, _ = apex.CREATE_EVENT("e")
    assert apex.WAIT_EVENT(event, MS).at_once() is ReturnCode.INVALID_MODE
    assert apex.WAIT_EVENT(event, -2).at_once() is ReturnCode.INVALID_PARAM
    assert apex.TIMED_WAIT(MS).at_once() is ReturnCode.INVALID_MODE
    assert apex.SUSPEND_SELF(MS).at_once() is ReturnCode.INVALID_MODE


# -- the lock


def test_under_the_lock_only_its_holder_runs(stage, apex):
    story = []
    urgent = stage.process(teller(story, "urgent", 1), priority=200, is_started=False)

    def holder():
        assert apex.LOCK_PREEMPTION() == (1, OK)
        assert apex.LOCK_PREEMPTION() == (2, OK)
        assert apex.START(urgent) is OK
        for step in range(3):
            story.append(step)
            yield
        assert apex.GET_PROCESS_MUTEX_STATE(apex.GET_MY_ID()[0]) == (PREEMPTION_LOCK, OK)
        assert apex.UNLOCK_PREEMPTION() == (1, OK)
        yield
        story.append("level 1")
        assert apex.GET_PARTITION_STATUS()[0].lock_level == 1
        assert apex.UNLOCK_PREEMPTION() == (0, OK)
        assert apex.GET_PROCESS_MUTEX_STATE(2) == (NO_MUTEX_OWNED, OK)
        yield
        story.append("end")

    stage.process(holder, priority=1)
    stage.go()
    assert story == [0, 1, 2, "level 1", "urgent0", "end"]


def test_a_holder_of_the_lock_that_ends_has_no_lock(stage, apex):
    story = []
    stage.process(lambda: apex.LOCK_PREEMPTION() and None, priority=9)
    stage.process(teller(story, "a", 1), priority=1)
    stage.go()
    assert story == ["a0"]
    assert apex.GET_PARTITION_STATUS()[0].lock_level == 0


def test_the_holder_of_the_lock_cannot_be_suspended_by_a_task(stage, apex):
    def holder():
        apex.LOCK_PREEMPTION()
        stage.context.wheel.post(5)
        yield
        apex.UNLOCK_PREEMPTION()

    codes = []
    process = stage.process(holder)
    stage.context.wheel.task(5, lambda: codes.append(apex.SUSPEND(process)))
    stage.go()
    assert codes == [ReturnCode.INVALID_MODE]


# -- periods and deadlines


def periodic(stage, at, work=lambda: None):
    def entry():
        while True:
            at.append(stage.clock.now_ns())
            work()
            assert (yield stage.apex.PERIODIC_WAIT()) is OK

    return entry


def test_releases_are_a_period_apart(stage):
    at = []
    begun = stage.clock.now_ns()
    stage.process(periodic(stage, at), period_ns=10 * MS)
    stage.go(0.1)
    assert [instant - begun for instant in at] == [10 * MS * number for number in range(11)]


def test_in_windows_the_first_release_is_a_release_point_of_the_partition():
    frame = PartitionFrame(0, 50 * MS, 50 * MS, 10 * MS, ((20 * MS, 10 * MS),), (20 * MS,))
    stage = Stage(frame)
    begun, at = stage.clock.now_ns(), []
    stage.process(periodic(stage, at), period_ns=50 * MS)
    delayed = stage.process(periodic(stage, late := []), period_ns=100 * MS, is_started=False)
    assert stage.apex.DELAYED_START(delayed, 3 * MS) is OK
    stage.go(0.2)
    first = frame.next_release_ns(begun)
    assert at == [first + 50 * MS * number for number in range(4)]
    assert late == [first + 3 * MS + 100 * MS * number for number in range(2)]
    status = stage.apex.GET_PARTITION_STATUS()[0]
    assert (status.period_ns, status.duration_ns, status.identifier) == (50 * MS, 10 * MS, 7)


def test_a_late_process_is_released_at_once_and_missed_releases_are_counted(stage):
    at, work = [], iter([0.0, 0.025, 0.0])
    begun = stage.clock.now_ns()

    def needs_time():
        stage.clock._now += round(next(work, 0.0) * 1e9)  # only a computer's time passes inside a step

    stage.process(periodic(stage, at, needs_time), period_ns=10 * MS, capacity_ns=10 * MS)
    stage.go(0.05)
    assert [(instant - begun) // MS for instant in at] == [0, 10, 35, 40, 50]
    assert stage.context.counters["releases_missed"] == 1
    told = stage.told()
    assert [what for what, _, _ in told] == ["deadline_missed", "deadline_missed"][: len(told)]
    assert told[0] == ("deadline_missed", "process 0", False)


def test_a_deadline_is_watched_while_the_process_waits_and_told_once(stage, apex):
    def entry():
        yield apex.TIMED_WAIT(100 * MS)

    process = stage.process(entry, capacity_ns=10 * MS)
    begun = stage.clock.now_ns()
    stage.go(0.005)
    assert apex.GET_PROCESS_STATUS(process)[0].deadline_ns == begun + 10 * MS
    assert stage.told() == []
    stage.go(0.2)
    assert stage.told() == [("deadline_missed", "process 0", False)]


def test_an_end_before_the_deadline_is_no_miss(stage, apex):
    def entry():
        yield apex.TIMED_WAIT(9 * MS)

    stage.process(entry, capacity_ns=10 * MS)
    stage.go(1)
    assert stage.told() == []


def test_replenish_postpones(stage, apex):
    def entry():
        yield apex.TIMED_WAIT(8 * MS)
        assert apex.REPLENISH(10 * MS) is OK
        yield apex.TIMED_WAIT(8 * MS)
        assert apex.REPLENISH(-2) is ReturnCode.INVALID_PARAM
        assert apex.REPLENISH(INFINITE) is OK
        yield apex.TIMED_WAIT(100 * MS)

    stage.process(entry, capacity_ns=10 * MS)
    stage.go(1)
    assert stage.told() == []


def test_the_time_capacity_of_a_task_is_watched_after_it(stage):
    taken = iter([1 * MS, 3 * MS])

    def work():
        stage.clock._now += next(taken)

    wheel = stage.context.wheel
    wheel.task(3, within_capacity(stage.context, "sum", work, 2 * MS))
    wheel.post(3)
    wheel.turn()
    assert stage.told() == []
    wheel.post(3)
    wheel.turn()
    assert stage.told() == [("deadline_missed", "task sum: 3000 us, allowed 2000", False)]
    assert stage.context.counters[TASK_OVERRUNS] == 1


# -- errors


def faulty(fault):
    def entry():
        yield
        raise fault

    return entry


def test_without_an_error_handler_an_exception_goes_on(stage):
    process = stage.process(faulty(ValueError("no")))
    with pytest.raises(ValueError, match="no"):
        stage.go()
    assert stage.state(process) == "DORMANT"


@pytest.mark.parametrize(
    ("fault", "code"),
    [(ValueError("no"), ErrorCode.APPLICATION_ERROR), (ZeroDivisionError("no"), ErrorCode.NUMERIC_ERROR)],
)
def test_the_error_handler_gets_it_before_anybody_else_runs(stage, apex, fault, code):
    story = []

    def handler():
        story.append(apex.GET_ERROR_STATUS()[0])
        story.append(apex.GET_MY_ID()[1])
        yield apex.STOP_SELF()

    assert apex.CREATE_ERROR_HANDLER(handler) is OK
    process = stage.process(faulty(fault), priority=100)
    stage.process(teller(story, "other", 1), priority=99)
    stage.go()
    assert story == [(code, b"no", process), ReturnCode.INVALID_MODE, "other0"]
    assert stage.told() == [(code.name.lower(), "no", True)]
    assert stage.state(process) == "DORMANT"


def test_the_handler_can_start_the_failed_process_again(stage, apex):
    births = []

    def entry():
        births.append(1)
        yield
        assert len(births) == 3, "again"

    def handler():
        status, _ = apex.GET_ERROR_STATUS()
        assert apex.START(status.failed_process_id) is OK
        yield

    apex.CREATE_ERROR_HANDLER(handler)
    stage.process(entry)
    stage.go()
    assert len(births) == 3


def test_a_handler_that_looks_at_nothing_is_not_called_for_ever(stage, apex):
    calls = []
    apex.CREATE_ERROR_HANDLER(lambda: calls.append(1))
    for number in range(3):
        stage.process(faulty(ValueError("no")), f"p{number}")
    stage.go(0.1)
    assert len(calls) == 3


def test_one_call_of_the_handler_may_read_all_errors(stage, apex):
    read = []

    def handler():
        while (status := apex.GET_ERROR_STATUS()[0]) is not None:
            read.append(status.message)
        yield

    def entry():
        for number in range(5):
            assert apex.RAISE_APPLICATION_ERROR(ErrorCode.APPLICATION_ERROR, b"%d" % number) is OK
        yield

    apex.CREATE_ERROR_HANDLER(handler)
    stage.process(entry)
    stage.go(0.1)
    assert read == [b"0", b"1", b"2", b"3", b"4"]


def test_an_error_of_the_handler_goes_on(stage, apex):
    apex.CREATE_ERROR_HANDLER(faulty(KeyError("handler")))
    stage.process(faulty(ValueError("no")))
    with pytest.raises(KeyError):
        stage.go()


def test_the_handler_never_waits_and_has_no_lock(stage, apex):
    codes = []
    event, _ = apex.CREATE_EVENT("e")
    mutex, _ = apex.CREATE_MUTEX("m", 239, Discipline.FIFO)

    def handler():
        apex.GET_ERROR_STATUS()
        codes.append((yield apex.WAIT_EVENT(event, INFINITE)))
        codes.append((yield apex.SUSPEND_SELF(INFINITE)))
        codes.append((yield apex.PERIODIC_WAIT()))
        codes.append((yield apex.ACQUIRE_MUTEX(mutex, 0)))
        codes.extend([apex.LOCK_PREEMPTION()[1], apex.UNLOCK_PREEMPTION()[1], apex.REPLENISH(MS)])

    apex.CREATE_ERROR_HANDLER(handler)
    stage.process(faulty(ValueError("no")))
    stage.go()
    assert codes == [ReturnCode.INVALID_MODE] * 4 + [ReturnCode.NO_ACTION] * 3


def test_a_missed_deadline_reaches_the_handler_and_the_process_goes_on(stage, apex):
    story = []

    def handler():
        story.append(apex.GET_ERROR_STATUS()[0].error_code)
        yield

    def entry():
        yield apex.TIMED_WAIT(10 * MS)
        story.append("through")

    apex.CREATE_ERROR_HANDLER(handler)
    stage.process(entry, capacity_ns=MS)
    stage.go(0.1)
    assert story == [ErrorCode.DEADLINE_MISSED, "through"]


def test_an_error_without_handler_and_a_message_are_told_to_the_kernel(stage, apex):
    assert apex.RAISE_APPLICATION_ERROR(ErrorCode.APPLICATION_ERROR, b"bad") is OK
    assert apex.REPORT_APPLICATION_MESSAGE(b"fine") is OK
    assert apex.REPORT_APPLICATION_MESSAGE(bytes(129)) is ReturnCode.INVALID_PARAM
    assert stage.told() == [("application_error", "bad", False), ("message", "fine", False)]
    while apex.REPORT_APPLICATION_MESSAGE(b"x") is OK:
        pass
    assert apex.REPORT_APPLICATION_MESSAGE(b"x") is ReturnCode.NOT_AVAILABLE


# -- modes


@pytest.mark.parametrize("wanted", [OperatingMode.IDLE, OperatingMode.COLD_START, OperatingMode.WARM_START])
def test_leaving_normal_stops_every_process_and_asks_the_kernel(stage, apex, wanted):
    story = []

    def leaver():
        yield apex.TIMED_WAIT(MS)
        assert apex.SET_PARTITION_MODE(wanted) is OK
        story.append("to its next yield")
        yield
        story.append("never")

    others = [
        stage.process(teller(story, "never", between=lambda: apex.TIMED_WAIT(5 * MS)), "o"),
        stage.process(leaver),
    ]
    stage.go(0.002)
    stage.clock.advance(1)
    assert story == ["never0", "to its next yield"]
    assert [stage.state(process) for process in others] == ["DORMANT", "DORMANT"]
    assert stage.told() == [("set_partition_mode", wanted.name, False)]
    assert apex.GET_PARTITION_STATUS()[0].operating_mode is OperatingMode.IDLE
    assert apex.SET_PARTITION_MODE(OperatingMode.NORMAL) is ReturnCode.INVALID_MODE
    assert apex.CREATE_EVENT("late")[1] is ReturnCode.INVALID_MODE


def test_a_kernel_that_has_fallen_behind_is_asked_again(stage, apex):
    stage.go()
    while stage.context.report("message", "x"):
        pass
    assert apex.SET_PARTITION_MODE(OperatingMode.IDLE) is OK
    stage.told()
    stage.clock.advance(1)
    assert stage.told() == [("set_partition_mode", "IDLE", False)]


def test_in_normal_nothing_can_be_created(stage, apex):
    stage.go()
    invalid = ReturnCode.INVALID_MODE
    assert apex.CREATE_PROCESS(ProcessAttributes("p", lambda: None, 1)) == (0, invalid)
    assert apex.CREATE_BUFFER("b", 1, 1, Discipline.FIFO) == (0, invalid)
    assert apex.CREATE_BLACKBOARD("b", 1) == (0, invalid)
    assert apex.CREATE_SEMAPHORE("s", 0, 1, Discipline.FIFO) == (0, invalid)
    assert apex.CREATE_EVENT("e") == (0, invalid)
    assert apex.CREATE_MUTEX("m", 1, Discipline.FIFO) == (0, invalid)


def test_a_row_by_priority_serves_the_most_urgent_of_now():
    stage = Stage()
    row = WaitRow(Discipline.PRIORITY)
    processes = [stage.apex._processes.find(stage.process(lambda: None, f"{p}{n}", p)) for n, p in enumerate((3, 5, 5))]
    for process in processes:
        row.put(process)
    assert row.first() is processes[1]
    processes[0].current_priority = 9
    assert row.first() is processes[0]
    row.remove(processes[0])
    assert row.first() is processes[1]
    assert all(process.state is ProcessState.WAITING for process in processes)
