"""Waste: every call that may call back into the emulator, such as an invocation, started a thread of its own, which was
a fifth of the event loop's work under load.

Threads are kept and used again. Their number has no bound, as before: with a bound, calls would wait for threads that
wait for them.
"""

import asyncio
import collections
import contextvars
import sys
import threading
from collections.abc import Callable
from typing import Any

from ministack.core import concurrency

from local.emulator.expectation import UnexpectedError, replace

IDLE_SECONDS = 30.0


class _Thread:
    """Runs one task after the other and lies in `_idle` between them."""

    def __init__(self, task: Callable[[], None]) -> None:
        self._task: Callable[[], None] | None = task
        self._given = threading.Event()
        self._given.set()
        threading.Thread(target=self._run, daemon=True, name="reentrant").start()

    def give(self, task: Callable[[], None]) -> None:
        self._task = task
        self._given.set()

    def _run(self) -> None:
        while True:
            if not self._given.wait(IDLE_SECONDS):
                try:
                    _idle.remove(self)
                except ValueError:
                    continue  # somebody took it just now: its task is coming
                return
            self._given.clear()
            task, self._task = self._task, None
            if task is not None:
                task()
            _idle.append(self)


_idle: collections.deque[_Thread] = collections.deque()


def _start(task: Callable[[], None]) -> None:
    try:
        _idle.pop().give(task)
    except IndexError:
        _Thread(task)


async def _run_reentrant(function: Callable[..., Any], *arguments: Any, thread_name: str = "") -> Any:  # noqa: ARG001
    """Run blocking work on a thread of its own, in the caller's context; a cancelled caller still waits for its end."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def deliver(result: Any, error: BaseException | None) -> None:
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = context.run(function, *arguments)
        except BaseException as raised:  # noqa: BLE001 - the caller gets it
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(deliver, result, error)

    _start(run)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            try:
                await asyncio.wait({future})
            except asyncio.CancelledError:
                continue
        future.exception()
        raise


def patch() -> None:
    early = [name for name, module in sys.modules.items() if name != concurrency.__name__ and _uses(module)]
    if early:
        raise UnexpectedError(f"MiniStack loads {', '.join(early)} too early for the patch of run_reentrant.")
    replace(concurrency, "run_reentrant", "bd6c9a9940ab", _run_reentrant)


def _uses(module: Any) -> bool:
    return vars(module).get("run_reentrant") is concurrency.run_reentrant
