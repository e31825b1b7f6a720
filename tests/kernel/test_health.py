"""The health monitor: every cell of its tables, what the module does about it, signs of life, the log. A-07."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bench import Bench, Puppet

from wattwheel.apex.codes import OperatingMode, StartCondition
from wattwheel.apex.partition import HEARTBEAT_NS
from wattwheel.hil import process
from wattwheel.kernel import health
from wattwheel.kernel.config import HealthConfig, HealthEntry
from wattwheel.kernel.health import ANY, Decision, HealthLog, decide
from wattwheel.kernel.module import HANG_LOOKS_MAX, LOOK_NS, REPORT_LINES_A_LOOK_MAX, START_LOOKS_MAX

NORMAL, INIT = health.PROCESS_EXECUTION, health.PARTITION_INIT
HANG_S_MAX = (HANG_LOOKS_MAX + 2) * LOOK_NS / 1e9
"""A partition that hangs is found within this."""

DEFAULTS = {
    ("CRASH", NORMAL): ("PARTITION", "APPLICATION_ERROR", "COLD_START"),
    ("CRASH", INIT): ("PARTITION", "APPLICATION_ERROR", "COLD_START"),
    ("HANG", NORMAL): ("PARTITION", "DEADLINE_MISSED", "COLD_START"),
    ("HANG", INIT): ("PARTITION", "DEADLINE_MISSED", "COLD_START"),
    ("NO_ROOM", INIT): ("PARTITION", "HARDWARE_FAULT", "COLD_START"),
    ("MEMORY_VIOLATION", NORMAL): ("PARTITION", "MEMORY_VIOLATION", "COLD_START"),
    ("STACK_OVERFLOW", NORMAL): ("PARTITION", "STACK_OVERFLOW", "COLD_START"),
    ("NUMERIC_ERROR", NORMAL): ("PROCESS", "NUMERIC_ERROR", "COLD_START"),
    ("NUMERIC_ERROR", INIT): ("PARTITION", "NUMERIC_ERROR", "COLD_START"),
    ("APPLICATION_ERROR", NORMAL): ("PROCESS", "APPLICATION_ERROR", "COLD_START"),
    ("APPLICATION_ERROR", INIT): ("PARTITION", "APPLICATION_ERROR", "COLD_START"),
    ("DEADLINE_MISSED", NORMAL): ("PROCESS", "DEADLINE_MISSED", "IGNORE"),
    ("ILLEGAL_REQUEST", NORMAL): ("PROCESS", "ILLEGAL_REQUEST", "IGNORE"),
    ("STORAGE_FAILURE", NORMAL): ("PARTITION", "HARDWARE_FAULT", "IGNORE"),
    ("HARDWARE_FAULT", NORMAL): ("PARTITION", "HARDWARE_FAULT", "COLD_START"),
    ("WINDOW_OVERRUN", health.PARTITION_SWITCHING): ("PARTITION", "DEADLINE_MISSED", "IGNORE"),
    ("POWER_FAIL", health.SYSTEM_FUNCTION_EXECUTION): ("MODULE", "POWER_FAIL", "SHUTDOWN"),
    ("POWER_FAIL", NORMAL): ("MODULE", "POWER_FAIL", "SHUTDOWN"),
}


@pytest.mark.parametrize(("error", "state"), DEFAULTS)
def test_what_a_meter_does_without_tables_of_its_own(error, state):
    assert decide(HealthConfig(), "a", state, error) == DEFAULTS[(error, state)]


@pytest.mark.parametrize("action", health.PARTITION_ACTIONS)
@pytest.mark.parametrize("error", sorted(set(health.CODES) - {"POWER_FAIL"}))
def test_every_cell_of_a_partitions_table(error, action):
    tables = HealthConfig(partitions={"a": (HealthEntry(ANY, error, action=action),)})
    assert decide(tables, "a", NORMAL, error).action == action
    assert decide(tables, "b", NORMAL, error) == decide(HealthConfig(), "b", NORMAL, error)


@pytest.mark.parametrize("action", health.MODULE_ACTIONS)
@pytest.mark.parametrize("error", sorted(health.CODES))
def test_every_cell_of_the_modules_table(error, action):
    tables = HealthConfig(
        levels=(HealthEntry(ANY, error, level="MODULE"),), module=(HealthEntry(ANY, error, action=action),)
    )
    assert decide(tables, "a", NORMAL, error) == Decision("MODULE", health.CODES[error], action)


def test_the_closest_row_counts_wherever_it_stands():
    tables = HealthConfig(
        partitions={
            "a": (
                HealthEntry(ANY, ANY, action="IGNORE"),
                HealthEntry(ANY, "DEADLINE_MISSED", action="IDLE"),
                HealthEntry(NORMAL, "DEADLINE_MISSED", action="WARM_START"),
                HealthEntry(INIT, "HANG", action="COLD_START"),
            )
        }
    )
    assert decide(tables, "a", NORMAL, "CRASH").action == "IGNORE"
    assert decide(tables, "a", NORMAL, "HANG").action == "WARM_START"  # by its code
    assert decide(tables, "a", INIT, "HANG").action == "COLD_START"  # by its name
    assert decide(tables, "a", INIT, "DEADLINE_MISSED").action == "IDLE"


def test_a_code_of_the_configuration_is_shown():
    tables = HealthConfig(levels=(HealthEntry(ANY, "HANG", level="PROCESS", code="APPLICATION_ERROR"),))
    assert decide(tables, "a", NORMAL, "HANG") == ("PROCESS", "APPLICATION_ERROR", "COLD_START")


@given(st.text(max_size=20), st.sampled_from(health.STATES), st.booleans())
def test_any_error_has_an_answer(error, state, is_handled):
    decision = decide(HealthConfig(), "a", state, error, is_handled)
    assert decision.action in (*health.PARTITION_ACTIONS, *health.MODULE_ACTIONS, health.HANDLED)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0, "CRASH"),
        (process.EXIT_APPLICATION_ERROR, "CRASH"),
        (process.EXIT_NUMERIC_ERROR, "NUMERIC_ERROR"),
        (process.EXIT_STACK_OVERFLOW, "STACK_OVERFLOW"),
        (process.EXIT_MEMORY_VIOLATION, "MEMORY_VIOLATION"),
        (process.EXIT_NO_ROOM, "NO_ROOM"),
        (-signal.SIGKILL, "CRASH"),
        (-signal.SIGSEGV, "MEMORY_VIOLATION"),
        (-signal.SIGBUS, "MEMORY_VIOLATION"),
        (-signal.SIGFPE, "NUMERIC_ERROR"),
        (-signal.SIGSYS, "ILLEGAL_REQUEST"),
    ],
)
def test_a_death_says_what_error_it_was(status, error):
    assert health.error_of_death(status) == error


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (MemoryError(), "MEMORY_VIOLATION"),
        (RecursionError(), "STACK_OVERFLOW"),
        (ZeroDivisionError(), "NUMERIC_ERROR"),
        (ValueError(), "CRASH"),
    ],
)
def test_an_exception_says_it_by_its_exit_status(fault, error):
    assert health.error_of_death(process.exit_status(fault)) == error


# -- what the module does -----------------------------------------------------------------------------------------


def acting(action, error="APPLICATION_ERROR", **options):
    """A module whose partition a has `action` for `error`, all of it NORMAL."""
    tables = HealthConfig(partitions={"a": (HealthEntry(ANY, error, action=action),)}, **options)
    a, b = Puppet(), Puppet()
    bench = Bench({"a": a, "b": b}, health=tables)
    bench.run()
    return bench, a, b


def newest(bench):
    entry = bench.module.health.newest(1)[0]
    return tuple(entry[key] for key in ("partition", "error", "level", "action"))


@pytest.mark.parametrize("error", sorted(health.REPORTED))
@pytest.mark.parametrize("action", health.PARTITION_ACTIONS)
def test_a_reported_error_is_answered_by_the_partitions_table(error, action):
    name = health.REPORTED[error]
    bench, a, b = acting(action, name)
    a.context.report(error, "something")
    bench.run(0.1)
    assert newest(bench)[:2] == ("a", name)
    assert newest(bench)[3] == action
    births = 2 if action in ("WARM_START", "COLD_START") else 1
    assert (a.births, b.births) == (births, 1)
    assert bench.module.modes() == {"a": "IDLE" if action == "IDLE" else "NORMAL", "b": "NORMAL"}
    if births == 2:
        assert a.context.condition is StartCondition.HM_PARTITION_RESTART
        assert a.context.mode is OperatingMode[action]
        assert bench.module.partitions["a"].restarts == 1


@pytest.mark.parametrize(
    ("action", "births", "mode"),
    [("IGNORE", 1, "IDLE"), ("IDLE", 1, "IDLE"), ("WARM_START", 2, "NORMAL"), ("COLD_START", 2, "NORMAL")],
)
def test_a_crash_is_answered_by_the_partitions_table(action, births, mode):
    """IGNORE: nobody starts what has ended, so it stays idle."""
    bench, a, b = acting(action, "CRASH")
    bench.kill("a")
    bench.run(0.2)
    assert (a.births, bench.module.modes()["a"], b.births) == (births, mode, 1)
    assert newest(bench) == ("a", "CRASH", "PARTITION", action)
    bench.run(10)
    assert a.births == births


@pytest.mark.parametrize("action", health.PARTITION_ACTIONS)
def test_an_error_that_the_partitions_own_handler_has_taken_is_only_noted(action):
    bench, a, _ = acting(action)
    a.context.report("application_error", "sensor 7", is_handled=True)
    bench.run(0.1)
    assert newest(bench) == ("a", "APPLICATION_ERROR", "PROCESS", "HANDLED")
    assert a.births == 1


def test_a_partition_cannot_call_an_error_of_another_level_handled():
    bench, a, _ = acting("COLD_START", "HANG")
    a.context.report("hang", "it says", is_handled=True)
    bench.run(0.1)
    assert a.births == 2


@pytest.mark.parametrize("action", health.MODULE_ACTIONS)
def test_an_error_of_module_level_is_answered_by_the_modules_table(action):
    tables = HealthConfig(
        levels=(HealthEntry(ANY, "HARDWARE_FAULT", level="MODULE"),),
        module=(HealthEntry(ANY, "STORAGE_FAILURE", action=action),),
    )
    story = []
    a = Puppet(lambda context: context.on_stop(lambda: story.append("a")))
    b = Puppet(lambda context: context.on_stop(lambda: story.append("b")))
    bench = Bench({"a": a, "b": b}, health=tables, stop_ranks={"b": 1})
    bench.run()
    a.context.report("storage_failure", "medium")
    bench.run(0.1)
    assert newest(bench) == ("a", "STORAGE_FAILURE", "MODULE", action)
    assert story == ([] if action == "IGNORE" else ["a", "b"])  # in order
    assert (a.births, b.births) == ((2, 2) if action == "RESET" else (1, 1))
    assert bench.shutdowns == (action == "SHUTDOWN")
    if action == "RESET":
        assert {a.context.condition, b.context.condition} == {StartCondition.HM_MODULE_RESTART}
        assert bench.module.modes() == {"a": "NORMAL", "b": "NORMAL"}
        bench.run(10)  # nobody's patience with the old bodies meets the new ones
        assert (a.births, b.births) == (2, 2)
        assert not any("did not end" in line for line in bench.log)
        bench.kill("a")
        bench.run(0.1)
        assert a.context.condition is StartCondition.HM_PARTITION_RESTART
        assert bench.shutdowns == 0
    if action == "SHUTDOWN":
        bench.run(10)
        assert bench.host.bodies == {}


def test_a_failing_supply_ends_the_module_in_order():
    bench, _, _ = acting("COLD_START")
    bench.module.raise_error("POWER_FAIL", "supply")
    bench.run(0.1)
    assert bench.shutdowns == 1
    assert bench.host.bodies == {}
    assert newest(bench) == ("bench", "POWER_FAIL", "MODULE", "SHUTDOWN")


def test_a_stop_during_a_reset_is_a_stop():
    tables = HealthConfig(module=(HealthEntry(ANY, "POWER_FAIL", action="RESET"),))
    bench = Bench({"a": Puppet(), "b": Puppet()}, health=tables)
    bench.run()
    stopped = []
    bench.module.raise_error("POWER_FAIL", "supply")
    bench.module.stop(lambda: stopped.append(1))
    bench.run(5)
    assert stopped == [1]
    assert bench.host.bodies == {}


def test_too_many_starts_within_a_minute_leave_it_idle():
    bench, a, b = acting("COLD_START", restarts_max=3)
    for _ in range(4):
        bench.kill("a")
        bench.run(1)
    assert (a.births, bench.module.modes()["a"]) == (4, "IDLE")
    assert newest(bench) == ("a", "RESTARTS_MAX", "PARTITION", "IDLE")
    assert bench.log[-1].startswith("a: 3 starts within a minute; left idle")
    bench.module.set_mode("a", OperatingMode.COLD_START)
    bench.run(0.1)
    assert bench.module.modes()["a"] == "NORMAL"  # the operator may
    bench.run(60)
    bench.kill("a")
    bench.run(1)
    assert bench.module.modes()["a"] == "NORMAL"  # that was long ago
    assert b.births == 1


def test_only_a_system_partition_may_report_another():
    bench = Bench({"service": Puppet(), "a": Puppet(), "b": Puppet()}, system=("service",))
    bench.run()
    contexts = {name: bench.host.queuing_source(f"{name}.kernel") for name in bench.module.partitions}
    contexts["service"].send_nowait(b'{"partition": "b", "what": "illegal_request", "detail": "1"}')
    bench.run()
    assert newest(bench)[0] == "b"
    contexts["a"].send_nowait(b'{"partition": "b", "what": "illegal_request", "detail": "2"}')
    bench.run()
    assert newest(bench)[0] == "a"
    contexts["service"].send_nowait(b'{"partition": "nobody", "what": "illegal_request", "detail": "3"}')
    bench.run()
    assert newest(bench)[0] == "service"


# -- signs of life ------------------------------------------------------------------------------------------------


def test_a_partition_that_hangs_is_found_and_started_again():
    bench, a, b = acting("COLD_START")
    bench.run(20)
    bench.host.bodies["a"].loop.compute(10**18, lambda: None)  # a task that never ends
    at = bench.clock.now_ns()
    assert bench.clock.advance_until(lambda: a.births == 2, HANG_S_MAX)
    assert bench.clock.now_ns() - at > 2 * HEARTBEAT_NS - LOOK_NS
    bench.run(60)
    assert (a.births, b.births) == (2, 1)
    assert newest(bench) == ("a", "HANG", "PARTITION", "COLD_START")


def test_a_partition_that_was_stopped_from_outside_is_found_and_started_again():
    bench, a, b = acting("COLD_START")
    bench.host.bodies["a"].pause()
    assert bench.clock.advance_until(lambda: a.births == 2, HANG_S_MAX)
    bench.run(60)
    assert (a.births, b.births) == (2, 1)


def test_a_start_that_never_ends_is_found():
    bench = Bench({"a": Puppet(), "b": Puppet()})
    bench.host.bodies["a"].pause()
    bench.run((START_LOOKS_MAX - 1) * LOOK_NS / 1e9)
    assert bench.module.partitions["a"].births == 1
    bench.run(3 * LOOK_NS / 1e9)
    assert bench.module.partitions["a"].births == 2
    assert bench.module.modes()["a"] == "NORMAL"


def test_an_idle_partition_has_nothing_to_do_but_its_heartbeat_and_nobody_takes_that_for_a_hang():
    bench, a, b = acting("COLD_START")
    before = {name: bench.host.sampling[f"{name}.counters"].number for name in ("a", "b")}
    bench.run(1000)
    for name, number in before.items():
        assert bench.host.sampling[f"{name}.counters"].number - number == 1000e9 // HEARTBEAT_NS
    assert (a.births, b.births) == (1, 1)
    assert bench.module.health.newest(5) == []


# -- the log ------------------------------------------------------------------------------------------------------

CRASHED = Decision("PARTITION", "APPLICATION_ERROR", "COLD_START")


def test_the_log_is_bounded_and_counts_what_repeats():
    log = HealthLog()
    for number in range(3 * health.LOG_ENTRIES_MAX):
        assert log.add("t", "a", "CRASH", CRASHED, f"{number}")
        assert not log.add("u", "a", "CRASH", CRASHED, f"{number}")
    assert log.decisions == 6 * health.LOG_ENTRIES_MAX
    entries = log.newest(10**6)
    assert len(entries) == health.LOG_ENTRIES_MAX
    assert {entry["times"] for entry in entries} == {2}
    assert entries[-1] == {
        "at": "u",
        "partition": "a",
        "error": "CRASH",
        "level": "PARTITION",
        "code": "APPLICATION_ERROR",
        "action": "COLD_START",
        "detail": f"{3 * health.LOG_ENTRIES_MAX - 1}",
        "times": 2,
    }
    assert log.newest(0) == []
    log.add("t", "a", "CRASH", CRASHED, "x" * 10_000)
    assert len(log.newest(1)[0]["detail"]) == health.DETAIL_LENGTH_MAX


def test_two_floods_that_alternate_hide_nothing():
    log = HealthLog()
    log.add("t", "first", "CRASH", CRASHED, "of all")
    for _ in range(10 * health.LOG_ENTRIES_MAX):
        log.add("t", "a", "CRASH", CRASHED, "")
        log.add("t", "b", "CRASH", CRASHED, "")
    assert [entry["partition"] for entry in log.newest(5)] == ["first", "a", "b"]


def test_what_a_partition_says_is_plain_text_in_the_log():
    bench, a, _ = acting("IGNORE")
    a.context.report("application_error", "\x1b[2J\nb: fine \u2028é")
    a.context.report("note", "\x1b[2J\x00")
    bench.run()
    assert bench.module.health.newest(1)[0]["detail"] == "?[2J?b: fine ??"
    assert bench.log == ["a: ?[2J?b: fine ??; noted (APPLICATION_ERROR, PROCESS level)", "a: note ?[2J?"]


def test_a_partition_that_never_stops_talking_is_cut_off_for_a_while():
    bench, a, _ = acting("COLD_START")
    for number in range(2 * REPORT_LINES_A_LOOK_MAX):
        a.context.report("note", f"{number}")
        bench.run(0.001)
    assert len(bench.log) == REPORT_LINES_A_LOOK_MAX
    bench.run(LOOK_NS / 1e9)
    a.context.report("note", "again")
    bench.run()
    assert bench.log[-1] == "a: note again"
