"""The process of one reading function: it reads random items of a file through its handler, as API Gateway calls it.

    python -m bench.replicas.reader ITEMS SEED

ITEMS has a line of owner and id for each item. For each line `seconds N` on the standard input it reads for so long,
and for `count N` so often; it prints the microseconds of each read, and those of its own processor for all.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.api.child import Context

Event = dict[str, Any]


def main() -> None:
    # Log lines and metrics go to /dev/null: writing them costs its usual time.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from sluice.handlers.get import handle  # noqa: PLC0415  it prints to the standard output of its import

    items = [line.split() for line in Path(sys.argv[1]).read_text().splitlines()]
    events = _draw_events(items, random.Random(sys.argv[2]))
    for line in sys.stdin:
        unit, number = line.split()
        times, processor_us = _read(handle, events, unit, float(number))
        print(json.dumps({"us": times, "processor_us": processor_us}), file=output, flush=True)


def _draw_events(items: list[list[str]], chance: random.Random) -> Iterator[Event]:
    while True:
        owner, item_id = chance.choice(items)
        yield {
            "httpMethod": "GET",
            "resource": "/v1/bookings/{id}",
            "path": f"/v1/bookings/{item_id}",
            "pathParameters": {"id": item_id},
            "requestContext": {"authorizer": {"claims": {"sub": owner}}},
        }


def _read(
    handle: Callable[[Event, Any], dict[str, Any]], events: Iterator[Event], unit: str, number: float
) -> tuple[list[float], float]:
    times: list[float] = []
    context, began_processor, began = Context(), time.process_time(), time.perf_counter()
    while len(times) < number if unit == "count" else time.perf_counter() - began < number:
        event = next(events)
        started = time.perf_counter()
        response = handle(event, context)
        times.append(1e6 * (time.perf_counter() - started))
        if response["statusCode"] != 200:
            raise SystemExit(f"expected 200: {response}")
    return times, 1e6 * (time.process_time() - began_processor)


if __name__ == "__main__":
    main()
