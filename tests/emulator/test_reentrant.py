import asyncio
import threading

import pytest

from local.emulator.reentrant import _run_reentrant


def test_a_thread_is_used_again() -> None:
    async def scenario() -> set[int]:
        return {await _run_reentrant(threading.get_ident) for _ in range(20)}

    # A thread may still be on its way back when the next call comes.
    assert len(asyncio.run(scenario())) <= 3


def test_calls_that_wait_for_each_other_do_not_block() -> None:
    met = threading.Barrier(40, timeout=10)

    async def scenario() -> None:
        await asyncio.gather(*(_run_reentrant(met.wait) for _ in range(40)))

    asyncio.run(scenario())


def test_an_error_reaches_the_caller_and_a_cancelled_caller_waits_for_the_end() -> None:
    ended = threading.Event()

    def slow() -> None:
        threading.Event().wait(0.2)
        ended.set()

    async def scenario() -> bool:
        with pytest.raises(ZeroDivisionError):
            await _run_reentrant(lambda: 1 / 0)
        task = asyncio.ensure_future(_run_reentrant(slow))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return ended.is_set()

    assert asyncio.run(scenario())
