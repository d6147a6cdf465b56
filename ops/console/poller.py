"""One reader of the live picture for all open tabs. It stops when the last one is closed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from ops.console.messages import Snapshot


class Poller:
    """Reads snapshots while somebody subscribes to them.

    `read` returns a snapshot, `pause_seconds` how long to wait until the next one.
    """

    def __init__(self, read: Callable[[], Awaitable[Snapshot]], pause_seconds: Callable[[], float]) -> None:
        self._read = read
        self._pause_seconds = pause_seconds
        self._subscribers: set[asyncio.Queue[Snapshot | None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._latest: Snapshot | None = None
        self._is_closed = False

    @property
    def is_polling(self) -> bool:
        return self._task is not None

    async def subscribe(self, silence_seconds: float = 15.0) -> AsyncIterator[Snapshot | None]:
        """Yield the latest snapshot while another tab has one, then each new one; end when the poller is closed.

        Yields None after a silence: the page sees that the server is there, and the server that the page is not.
        """
        # A slow reader gets the latest snapshot, not every one.
        queue: asyncio.Queue[Snapshot | None] = asyncio.Queue(maxsize=1)
        if self._task is not None and self._latest is not None:
            queue.put_nowait(self._latest)
        self._subscribers.add(queue)
        if self._task is None:
            self._task = asyncio.create_task(self._poll())
            self._task.add_done_callback(self._end_after_error)
        try:
            while not self._is_closed:
                try:
                    snapshot = await asyncio.wait_for(queue.get(), silence_seconds)
                except TimeoutError:
                    yield None
                    continue
                if snapshot is None:
                    return
                yield snapshot
        finally:
            self._subscribers.discard(queue)
            if not self._subscribers:
                await self._stop()

    async def close(self) -> None:
        """End every subscription."""
        self._is_closed = True
        await self._stop()
        for queue in self._subscribers:
            _replace_content(queue, None)

    async def _poll(self) -> None:
        while True:
            self._latest = await self._read()
            for queue in self._subscribers:
                _replace_content(queue, self._latest)
            await asyncio.sleep(self._pause_seconds())

    def _end_after_error(self, task: asyncio.Task[None]) -> None:
        """A defect ends the subscriptions: a tab that waits for ever would look alive."""
        if not task.cancelled() and task.exception():
            for queue in self._subscribers:
                _replace_content(queue, None)

    async def _stop(self) -> None:
        task, self._task, self._latest = self._task, None, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _replace_content(queue: asyncio.Queue[Snapshot | None], snapshot: Snapshot | None) -> None:
    with suppress(asyncio.QueueEmpty):
        queue.get_nowait()
    queue.put_nowait(snapshot)
