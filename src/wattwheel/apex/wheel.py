"""The message board and its wheel: 32 bits, each with a task that runs to its end.

Posting a bit says *that* something happened, never *what*: data waits in ports and buffers, and its task drains it.
So a lost post costs a delay, a double one a look. Bit 0 is the most urgent. After each task the wheel looks again, so
an urgent bit posted meanwhile runs next; no task is ever interrupted and none may wait.
"""

from __future__ import annotations

from collections.abc import Callable

from wattwheel.hil.clock import Clock

Action = Callable[[], None]

BITS = 32
BEFORE_REST_MAX = 8


class Wheel:
    """One module's message board."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._board = 0
        self._tasks: dict[int, Action] = {}  # by the bit's mask
        self._before_rest: list[Action] = []

    def task(self, bit: int, action: Action) -> None:
        """Let `action` run for `bit`. One task a bit."""
        assert 0 <= bit < BITS, f"bit {bit}: the board has {BITS}"
        assert 1 << bit not in self._tasks, f"bit {bit} has a task already"
        self._tasks[1 << bit] = action

    def free_bit(self, lowest: int = 8) -> int:
        """The most urgent bit from `lowest` on that has no task yet."""
        for bit in range(lowest, BITS):
            if 1 << bit not in self._tasks:
                return bit
        raise AssertionError(f"all bits from {lowest} on have tasks")

    def post(self, bit: int) -> None:
        """Note that something happened for the task of `bit`."""
        self._board |= 1 << bit

    def poster(self, bit: int) -> Action:
        """A callable that posts `bit`: what an arrival call wants."""
        mask = 1 << bit

        def post() -> None:
            self._board |= mask

        return post

    def before_rest(self, action: Action) -> None:
        """Call `action` whenever the board has become empty: the moment to send what the tasks have gathered."""
        assert len(self._before_rest) < BEFORE_REST_MAX
        self._before_rest.append(action)

    def turn(self) -> None:
        """Run tasks, the most urgent first, until no bit is posted."""
        tasks = self._tasks
        while True:
            while board := self._board:
                mask = board & -board
                self._board = board ^ mask
                tasks[mask]()
            for action in self._before_rest:
                action()
            if not self._board:
                return

    def post_at(self, due_ns: int, bit: int) -> None:
        """Post `bit` at `due_ns` on the monotonic clock."""
        self._clock.call_at(due_ns, self.poster(bit))

    def post_every(self, period_ns: int, bit: int) -> None:
        """Post `bit` every `period_ns`, without drift. Periods missed (a stopped process) are posted once."""
        assert period_ns > 0
        post = self.poster(bit)
        due = self._clock.now_ns()

        def again() -> None:
            nonlocal due
            post()
            arm()

        def arm() -> None:
            nonlocal due
            now = self._clock.now_ns()
            due += period_ns * max(1, -(-(now - due) // period_ns))
            self._clock.call_at(due, again)

        arm()
