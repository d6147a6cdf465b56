"""Cost: MiniStack starts a thread for every call that may call back into the emulator, such as an invocation.

Under load this takes a fifth of the event loop's time. Here idle threads are reused. Their number has no limit, as in
MiniStack: with a limit, calls would wait for threads that wait for these calls.
"""

import asyncio
import collections
import contextvars
import sys
import threading
from collections.abc import Callable
from typing import Any

from ministack.core import concurrency

from local.emulator.patching import UnexpectedMiniStackError, replace_function

IDLE_SECONDS = 30.0


class _Thread:
    """A thread that runs one task after the other, and is in `_idle_threads` between two tasks."""

    def __init__(self, task: Callable[[], None]) -> None:
        self._task: Callable[[], None] | None = task
        self._has_task = threading.Event()
        self._has_task.set()
        threading.Thread(target=self._run, daemon=True, name="reentrant").start()

    def assign_task(self, task: Callable[[], None]) -> None:
        self._task = task
        self._has_task.set()

    def _run(self) -> None:
        while True:
            if not self._has_task.wait(IDLE_SECONDS):
                try:
                    _idle_threads.remove(self)
                except ValueError:
                    continue  # another thread has just popped this one: its task follows
                return
            self._has_task.clear()
            task, self._task = self._task, None
            if task is not None:
                task()
            _idle_threads.append(self)


_idle_threads: collections.deque[_Thread] = collections.deque()


def _run_on_thread(task: Callable[[], None]) -> None:
    try:
        _idle_threads.pop().assign_task(task)
    except IndexError:
        _Thread(task)


async def run_reentrant(function: Callable[..., Any], *arguments: Any, thread_name: str = "") -> Any:  # noqa: ARG001
    """Run a blocking function on another thread, in the caller's context.

    A cancelled caller still waits for its end.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def set_outcome(result: Any, error: BaseException | None) -> None:
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
            loop.call_soon_threadsafe(set_outcome, result, error)

    _run_on_thread(run)
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
    early = [name for name, module in sys.modules.items() if name != concurrency.__name__ and _has_original(module)]
    if early:
        raise UnexpectedMiniStackError(f"MiniStack imports {', '.join(early)} before run_reentrant can be patched.")
    replace_function(concurrency, "run_reentrant", "bd6c9a9940ab", run_reentrant)


def _has_original(module: Any) -> bool:
    return vars(module).get("run_reentrant") is concurrency.run_reentrant
