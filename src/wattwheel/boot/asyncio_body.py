"""A body that lives in an asyncio loop, for libraries that need one; the wheel turns beside it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine

from wattwheel.drivers.linux.loop import EpollLoop


def run_beside(loop: EpollLoop, turn: Callable[[], None], main: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run `main` in an asyncio loop, and `loop` with the wheel's `turn` beside it, until either ends."""
    asyncio.run(_run_beside(loop, turn, main))


async def _run_beside(
    loop: EpollLoop, turn: Callable[[], None], main: Callable[[], Coroutine[None, None, None]]
) -> None:
    """Run `main` in the asyncio loop and `loop` beside it: its epoll descriptor is one of asyncio's readers."""
    around = asyncio.get_running_loop()
    task = asyncio.ensure_future(main())
    timer: asyncio.TimerHandle | None = None

    def serve() -> None:
        nonlocal timer
        loop.step(0)
        turn()
        if loop.is_stopped:
            task.cancel()
            return
        if timer is not None:
            timer.cancel()
        wait_s = loop.wait_s()
        timer = None if wait_s is None else around.call_later(wait_s, serve)

    def again_soon() -> None:
        around.call_soon(serve)

    around.add_reader(loop.fileno(), serve)
    turn()
    serve()
    loop.on_new_timer(again_soon)
    with contextlib.suppress(asyncio.CancelledError):
        await task
