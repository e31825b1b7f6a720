"""The module: partitions, channels, modes, restarts. It decides; the process host acts.

Every channel's ends stay with the module, so a partition that dies loses nothing but what it held in its own memory.
What follows a death or a report is the health monitor's decision (`kernel.health`). A partition that is to start again
does so after a delay that doubles with each short life within `RESTART_WINDOW_NS`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from wattwheel.apex.codes import OperatingMode, ReturnCode
from wattwheel.apex.modes import check_mode
from wattwheel.apex.partition import COUNTERS_PORT, HEARTBEAT_NS, KERNEL_PORT
from wattwheel.hil.clock import Clock
from wattwheel.hil.ports import QueuingDestination, SamplingDestination
from wattwheel.hil.process import Body, BodySpec, ProcessHost, QueuingPortSpec, SamplingPortSpec
from wattwheel.kernel import health
from wattwheel.kernel.config import KERNEL, ModuleConfig, PartitionConfig, restart_delay_ns
from wattwheel.kernel.health import Decision, HealthLog
from wattwheel.kernel.partition import REPAIR, WINDOW, Partition, Start
from wattwheel.kernel.poison import PoisonWatch
from wattwheel.kernel.stopping import STOP_PATIENCE_NS, OrderedStop
from wattwheel.kernel.windows import EdgeTimer, WindowKeeper

KERNEL_MESSAGE_OCTETS_MAX = 1024
KERNEL_DEPTH = 32
COUNTERS_OCTETS_MAX = 8192
RESTART_WINDOW_NS = 60_000_000_000
SHORT_LIFE_NS = 1_000_000_000
"""A body that ends within this after reaching NORMAL makes the next start wait longer."""
REPORTS_A_LOOK_MAX = 64
REPORT_LINES_A_LOOK_MAX = 64
"""Lines that one partition's reports may write to the log between two looks at signs of life; the rest is dropped."""
LOOK_NS = 2_000_000_000
HANG_LOOKS_MAX = 1 + 2 * HEARTBEAT_NS // LOOK_NS
"""Looks in a row without a sign of life of a partition in NORMAL mode: two heartbeats are missing."""
START_LOOKS_MAX = 15
"""The same for one that is starting, in which no heartbeat is sent."""
FRAME_DELAY_NS = 20_000_000
"""From the module's start to its first major frame."""
_HEEDED = ("normal", "set_partition_mode", *health.REPORTED)
"""Reports that are acted upon; any other is a line in the log."""


class Module:
    """The one owner of partitions and channels.

    Args:
        timer: for the windows' edges; without one the clock's own timers do.
        on_shutdown: called when the module has ended in order because the health monitor wanted so.
    """

    def __init__(
        self,
        config: ModuleConfig,
        clock: Clock,
        host: ProcessHost,
        log: Callable[[str], None],
        timer: EdgeTimer | None = None,
        on_shutdown: Callable[[], None] | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._host = host
        self._log = log
        self._timer = timer or clock
        self._on_shutdown = on_shutdown or (lambda: None)
        self._stop: OrderedStop | None = None
        self._on_normal: Callable[[], None] | None = None
        self._windows: WindowKeeper | None = None
        self.health = HealthLog()
        self._poison = PoisonWatch(host, log)
        self.partitions: dict[str, Partition] = {}
        self._counters: dict[str, SamplingDestination] = {}
        self._make_channels()
        for partition in config.partitions:
            self._admit(partition)

    def _make_channels(self) -> None:
        for channel in self._config.queuing_channels:
            for link in channel.links():
                self._host.queuing_channel(link, channel.max_message_size, channel.depth)
        for cell in self._config.sampling_channels:
            self._host.sampling_channel(cell.name, cell.max_message_size, cell.arrival_calls)

    def _admit(self, config: PartitionConfig) -> None:
        reports, counters = f"{config.name}.{KERNEL_PORT}", f"{config.name}.{COUNTERS_PORT}"
        self._host.queuing_channel(reports, KERNEL_MESSAGE_OCTETS_MAX, KERNEL_DEPTH)
        self._host.sampling_channel(counters, COUNTERS_OCTETS_MAX, ())
        queuing, sampling = self._config.ports_of(config.name)
        spec = BodySpec(
            partition=config.name,
            entry=config.entry,
            settings=config.settings,
            queuing_ports=(
                *queuing,
                QueuingPortSpec(KERNEL_PORT, "SOURCE", (reports,), KERNEL_MESSAGE_OCTETS_MAX, KERNEL_DEPTH),
            ),
            sampling_ports=(*sampling, SamplingPortSpec(COUNTERS_PORT, "SOURCE", counters, COUNTERS_OCTETS_MAX, 0)),
            devices=config.devices,
            memory_octets_max=config.memory_octets_max,
            descriptors_max=config.descriptors_max,
            niceness=config.niceness,
            identifier=config.identifier,
        )
        partition = Partition(config, spec)
        self.partitions[config.name] = partition
        self._counters[config.name] = self._host.sampling_destination(counters)
        inbox = self._host.queuing_destination(reports)
        inbox.on_arrival(lambda: self._hear(partition, inbox))

    # -- starting ----------------------------------------------------------------------------------------------

    def start(self, on_normal: Callable[[], None] | None = None) -> None:
        """Start every partition; `on_normal` is called once all of them have reached NORMAL."""
        self._on_normal = on_normal
        self._start_all("NORMAL_START")
        self._clock.call_at(self._clock.now_ns() + LOOK_NS, self._look)

    def _start_all(self, condition: str) -> None:
        if self._config.schedule.windows:
            self._windows = WindowKeeper(
                self._config.schedule,
                self._clock.now_ns() + FRAME_DELAY_NS,
                self._clock.now_ns,
                self._timer,
                go=lambda name: self.partitions[name].release(WINDOW),
                hold=lambda name: self.partitions[name].hold(WINDOW),
                overrun=lambda name, what: self._err(self.partitions[name], "WINDOW_OVERRUN", what),
            )
            self._windows.start()
        for partition in self.partitions.values():
            partition.then = Start(condition)
            self._spawn(partition)

    def _spawn(self, partition: Partition) -> None:
        """Carry out the start that is due, if it still is."""
        start, name = partition.then, partition.config.name
        if self._stop is not None or partition.body is not None or start is None:
            return
        partition.then = None
        if partition.births:
            self._repair(partition)
        partition.spec = msgspec.structs.replace(
            partition.spec,
            condition=start.condition,
            is_warm=start.is_warm,
            frame=self._windows.frame.of(name) if self._windows is not None else None,
        )
        body = self._host.spawn(partition.spec)
        partition.born(body, self._counters[name].version())
        if self._windows is not None and not self._windows.is_open(name):
            partition.hold(WINDOW)
        body.on_death(lambda status: self._bury(partition, body, status))

    def _repair(self, partition: Partition) -> None:
        """Recount what the dead body was sending, with the living far ends held still for a moment."""
        links = partition.links("SOURCE")
        others = [other for other in self.partitions.values() if other is not partition and other.body is not None]
        readers = [other for other in others if set(links) & set(other.links("DESTINATION"))]
        for reader in readers:
            reader.hold(REPAIR)
        for link in links:
            self._host.repair(link)
        for reader in readers:
            reader.release(REPAIR)

    # -- what partitions say -----------------------------------------------------------------------------------

    def _hear(self, partition: Partition, inbox: QueuingDestination) -> None:
        for _ in range(REPORTS_A_LOOK_MAX):
            octets = inbox.peek_nowait()
            if octets is None:
                return
            inbox.consume()
            try:
                report: dict[str, Any] = msgspec.json.decode(octets)
                what, detail = str(report["what"]), str(report.get("detail", ""))
            except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError):
                self._say(partition, "unreadable report dropped")
                continue
            partition.last_report = f"{what} {detail}".strip()
            is_gone = partition.body is None or partition.is_ending  # it died just after saying so
            if what not in _HEEDED:
                self._say(partition, partition.last_report)
            elif not is_gone:
                self._heed(partition, what, detail, report)

    def _heed(self, partition: Partition, what: str, detail: str, report: dict[str, Any]) -> None:
        if what == "normal":
            self._become_normal(partition)
        elif what == "set_partition_mode":
            self._ask_mode(partition, detail)
        else:
            named = str(report.get("partition", partition.config.name))
            about = self.partitions.get(named, partition) if partition.config.is_system else partition
            if named == KERNEL or about.body is None or about.is_ending:  # nobody to blame, or nobody is left
                self._say(partition, f"{named}: {partition.last_report}")
            else:
                self._err(about, health.REPORTED[what], detail, bool(report.get("is_handled")))

    def _say(self, partition: Partition, text: str) -> None:
        """A line for people; a partition that never stops talking is cut off for a while."""
        partition.lines += 1
        if partition.lines <= REPORT_LINES_A_LOOK_MAX:
            self._log(f"{partition.config.name}: {health.plain(text)}")

    def _become_normal(self, partition: Partition) -> None:
        partition.mode = OperatingMode.NORMAL
        partition.normal_ns = self._clock.now_ns()
        partition.looks = 0
        if self._on_normal is not None and all(p.mode == OperatingMode.NORMAL for p in self.partitions.values()):
            action, self._on_normal = self._on_normal, None
            action()

    # -- modes -------------------------------------------------------------------------------------------------

    def _ask_mode(self, partition: Partition, name: str) -> None:
        """SET_PARTITION_MODE from inside."""
        wanted = OperatingMode.__members__.get(name)
        code = ReturnCode.INVALID_PARAM if wanted is None else check_mode(partition.mode, wanted)
        if wanted is None or code is not ReturnCode.NO_ERROR:
            self._say(partition, f"mode {name[:30]} refused: {code.name}")
        elif wanted is OperatingMode.NORMAL:
            self._become_normal(partition)
        elif wanted is OperatingMode.IDLE:
            self._log(f"{partition.config.name}: idle at its own wish")
            self._end_in_order(partition, None)
        else:
            self._end_in_order(partition, Start("PARTITION_RESTART", wanted is OperatingMode.WARM_START))

    def set_mode(self, name: str, wanted: OperatingMode) -> ReturnCode:
        """What the operator wants of a partition: IDLE, COLD_START or WARM_START. KeyError: there is none of that name.

        NO_ACTION: it is idle already, or on its way. INVALID_MODE: NORMAL is reached by the partition itself, and
        nothing starts in a module that is stopping.
        """
        partition = self.partitions[name]
        if wanted is OperatingMode.NORMAL or self._stop is not None:
            return ReturnCode.INVALID_MODE
        start = None if wanted is OperatingMode.IDLE else Start("PARTITION_RESTART", wanted is OperatingMode.WARM_START)
        if partition.body is None:
            if (start is None) == (partition.then is None):
                return ReturnCode.NO_ACTION
            partition.then = start and start._replace(condition="NORMAL_START")
            self._spawn(partition)
        else:
            self._end_in_order(partition, start)
        self._log(f"{name}: {wanted.name} as the operator wants")
        return ReturnCode.NO_ERROR

    def _end_in_order(self, partition: Partition, then: Start | None) -> None:
        """Ask it to end; what does not end is killed. `then`: the start that follows, None: it stays IDLE."""
        body = partition.body
        assert body is not None
        partition.then, partition.is_ending = then, True
        body.stop()
        self._clock.call_at(
            self._clock.now_ns() + STOP_PATIENCE_NS, lambda: body.kill() if partition.body is body else None
        )

    def _end_at_once(self, partition: Partition, then: Start | None) -> None:
        partition.then = then
        if partition.body is not None:
            partition.is_ending = True
            partition.body.kill()
        elif then is not None:
            self._start_again(partition)

    def _bury(self, partition: Partition, body: Body, status: int) -> None:
        if partition.body is not body:
            return
        was_ending, state = partition.is_ending, health.state_of(partition.mode)
        now = self._clock.now_ns()
        if partition.mode is not OperatingMode.NORMAL or now - partition.normal_ns < SHORT_LIFE_NS:
            partition.short_lives_ns.append(now)
        partition.buried()
        self._poison.buried(partition, status, was_ending)
        if self._stop is not None:
            self._stop.go_on()
        elif was_ending:
            if partition.then is not None:
                self._start_again(partition)
        else:
            self._err(partition, health.error_of_death(status), f"ended with status {status}", state=state)

    def _start_again(self, partition: Partition) -> None:
        now = self._clock.now_ns()
        for instants in (partition.restarts_ns, partition.short_lives_ns):
            instants[:] = [at for at in instants if now - at < RESTART_WINDOW_NS]
        restarts_max = self._config.health.restarts_max
        if not health.may_start(partition.restarts_ns, now, restarts_max, RESTART_WINDOW_NS):
            partition.then = None
            decision = Decision(health.PARTITION, health.CODES["CRASH"], health.IDLE)
            self._note(partition.config.name, "RESTARTS_MAX", decision, f"{restarts_max} starts within a minute")
            return
        partition.restarts += 1
        partition.restarts_ns.append(now)
        delay_ns = restart_delay_ns(len(partition.short_lives_ns))
        self._clock.call_at(now + delay_ns, lambda: self._spawn(partition))

    # -- health ------------------------------------------------------------------------------------------------

    def raise_error(self, error: str, detail: str) -> None:
        """An error of the module itself, such as POWER_FAIL."""
        decision = health.decide(self._config.health, "", health.SYSTEM_FUNCTION_EXECUTION, error)
        self._note(self._config.name, error, decision, detail)
        self._act_on_module(decision)

    def _err(
        self, partition: Partition, error: str, detail: str, is_handled: bool = False, state: str | None = None
    ) -> None:
        """An error of `partition`: ask the tables, note it, act."""
        if state is None:
            state = health.PARTITION_SWITCHING if error == "WINDOW_OVERRUN" else health.state_of(partition.mode)
        name = partition.config.name
        decision = health.decide(self._config.health, name, state, error, is_handled)
        self._note(name, error, decision, detail)
        if decision.level == health.MODULE:
            self._act_on_module(decision)
        elif decision.action in health.START_ACTIONS:
            self._end_at_once(partition, Start("HM_PARTITION_RESTART", decision.action == health.WARM_START))
        elif decision.action == health.IDLE:
            self._end_at_once(partition, None)

    def _act_on_module(self, decision: Decision) -> None:
        if self._stop is not None:
            return
        if decision.action == health.RESET:
            self.stop(self._start_anew)
        elif decision.action == health.SHUTDOWN:
            self.stop(self._on_shutdown)

    def _start_anew(self) -> None:
        self._stop = None
        self._start_all("HM_MODULE_RESTART")

    def _note(self, name: str, error: str, decision: Decision, detail: str) -> None:
        at = self._clock.calendar().isoformat(timespec="milliseconds")
        is_new = self.health.add(at, name, error, decision, detail)
        if is_new or decision.action not in (health.IGNORE, health.HANDLED):
            self._log(f"{name}: {health.plain(detail)}; {health.in_words(error, decision)}")

    def _look(self) -> None:
        """Look for signs of life: every partition publishes its counters at least once in `HEARTBEAT_NS`.

        Looks are counted, not time: when the whole machine stood still nobody is to blame.
        """
        frames = -(-2 * self._config.schedule.major_frame_ns // LOOK_NS)
        for name, partition in self.partitions.items():
            partition.lines = 0
            version = self._counters[name].version()
            is_normal = partition.mode is OperatingMode.NORMAL
            partition.looks = 0 if partition.body is None or version != partition.version else partition.looks + 1
            partition.version = version
            if partition.looks > (HANG_LOOKS_MAX if is_normal else START_LOOKS_MAX) + frames:
                partition.looks = 0
                self._err(partition, "HANG", "no sign of life")
        self._clock.call_at(self._clock.now_ns() + LOOK_NS, self._look)

    # -- stopping ----------------------------------------------------------------------------------------------

    def stop(self, on_stopped: Callable[[], None]) -> None:
        """End every partition in order, the lowest stop rank first (the store last: it takes what the others save)."""
        if self._stop is not None:  # a reset becomes an end
            self._stop.instead(on_stopped)
            return
        if self._windows is not None:
            self._windows.stop()
            for partition in self.partitions.values():
                partition.release(WINDOW)
        for partition in self.partitions.values():
            partition.then = None
        self._stop = OrderedStop(self.partitions, self._clock, self._log, on_stopped)

    # -- what can be seen --------------------------------------------------------------------------------------

    def modes(self) -> dict[str, str]:
        """Operating mode of each partition."""
        return {name: partition.mode.name for name, partition in self.partitions.items()}

    def windows(self) -> dict[str, dict[str, int]]:
        """What the windows of each windowed partition came to; empty without a schedule."""
        return {} if self._windows is None else {name: c.document() for name, c in self._windows.counts.items()}

    def counters(self) -> dict[str, dict[str, int]]:
        """What each partition has published last; what is no table of counts is left out."""
        published: dict[str, dict[str, int]] = {}
        for name, cell in self._counters.items():
            sample = cell.read()
            if sample is not None:
                with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                    published[name] = msgspec.json.decode(sample.message, type=dict[str, int])
        return published
