import asyncio
import threading

import pytest

from local.emulator import threads
from local.emulator.threads import run_reentrant


def test_a_thread_is_reused() -> None:
    async def call() -> int:
        count = max(len(threads._idle_threads), 1)
        identity: int = await run_reentrant(threading.get_ident)
        # The thread is idle a moment after its call has ended.
        while len(threads._idle_threads) < count:
            await asyncio.sleep(0)
        return identity

    async def scenario() -> set[int]:
        return {await call() for _ in range(20)}

    assert len(asyncio.run(asyncio.wait_for(scenario(), 10))) == 1


def test_calls_that_wait_for_each_other_do_not_block() -> None:
    barrier = threading.Barrier(40, timeout=10)

    async def scenario() -> None:
        await asyncio.gather(*(run_reentrant(barrier.wait) for _ in range(40)))

    asyncio.run(scenario())


def test_an_error_reaches_the_caller_and_a_cancelled_caller_waits_for_the_end() -> None:
    ended = threading.Event()

    def slow() -> None:
        threading.Event().wait(0.2)
        ended.set()

    async def scenario() -> bool:
        with pytest.raises(ZeroDivisionError):
            await run_reentrant(lambda: 1 / 0)
        task = asyncio.ensure_future(run_reentrant(slow))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return ended.is_set()

    assert asyncio.run(scenario())
