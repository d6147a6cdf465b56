"""Where a load's time goes: the loader's own steps, timed from outside."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from sluice.database import Connection
from sluice.loading import ledger, passes, routes
from sluice.loading.mark import Mark
from sluice.loading.plain import PlainReader

# What the database is asked for, in the order of a load. Reading goes on beside them, in a thread.
STEPS: dict[str, list[tuple[Any, str]]] = {
    "ledger": [(ledger, "enter"), (ledger, "complete")],
    "mark": [(Mark, "reach"), (Mark, "move")],
    "load": [(routes, "fill")],
    "merge": [(routes, "merge")],
    "commit": [(Connection, "commit")],
}


@contextmanager
def stages() -> Iterator[dict[str, float]]:
    """Collect seconds by stage while loads run: the steps, `reading` (the thread), and `waiting` for what it reads."""
    seconds: dict[str, float] = defaultdict(float)
    with ExitStack() as stack:
        for name, places in STEPS.items():
            for owner, attribute in places:
                timed = _timed(getattr(owner, attribute), name, seconds)
                stack.enter_context(patch.object(owner, attribute, timed))
        parts, plain = PlainReader.parts, passes.plain

        def read(reader: PlainReader, batch: Any) -> Iterator[Any]:
            return _each(parts(reader, batch), "reading", seconds)

        def applied(connection: Any, statements: Any, parts: Any, mark: Any, **manner: Any) -> Any:
            return plain(connection, statements, _each(parts, "waiting", seconds), mark, **manner)

        stack.enter_context(patch.object(PlainReader, "parts", read))
        stack.enter_context(patch.object(passes, "plain", applied))
        yield seconds


def _timed(function: Callable[..., Any], name: str, seconds: dict[str, float]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[name] += time.perf_counter() - started

    return call


def _each(items: Iterator[Any], name: str, seconds: dict[str, float]) -> Iterator[Any]:
    step = _timed(lambda: next(items, None), name, seconds)
    while (item := step()) is not None:
        yield item
