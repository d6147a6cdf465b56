"""`make bench`: what the console takes: processor locally, calls and dollars on AWS, the search of an item.

On a local stack of its own. The calls are those that the console would make of a deployed stack: the same code with the
intervals of AWS, answered by the emulator.
"""

import gzip
import json
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import boto3
import httpx

from bench import create_folder
from bench.results import is_short, save_results
from local.process import LocalError, read_processor_seconds
from local.stack import Stack, down, up
from ops.aws import LOCAL_REGION, LOCAL_STACK, Target
from ops.aws import Stack as OperatedStack
from ops.console.batch_lines import read_lines
from ops.console.batch_window import BatchWindowReader
from ops.console.calls import CallMeter
from ops.console.messages import TOKEN_HEADER
from ops.console.picture import AWS_SECONDS, METRICS_SECONDS, Picture
from ops.console.timeline import TimelineReader

SECONDS, SHORT_SECONDS = 60, 5
LINES, SHORT_LINES = 200_000, 2_000


def main() -> None:
    """Measure, print the figures and save them."""
    with create_folder() as parent:
        folder = parent / "stack"
        try:
            stack = up(folder)
            operated = open_as_deployed(stack)
            figures = {**measure_processor(folder), **count_calls(operated), **measure_search(operated)}
        finally:
            with suppress(LocalError):
                down(folder)
    print(f"local, a tab open: the console takes {figures['console_share']:.1%} of one processor,", end=" ")
    print(f"the stack {figures['stack_share_with']:.1%} instead of {figures['stack_share_without']:.1%}")
    print(f"on AWS, a tab open: {figures['calls_per_hour']:.0f} calls an hour,", end=" ")
    print(f"{figures['dollars_per_hour']:.4f} dollars an hour; with the timeline open", end=" ")
    print(f"{figures['timeline_calls_per_hour']:.0f} calls and {figures['timeline_dollars_per_hour']:.4f} dollars more")
    print(f"the search of an item reads {figures['search_megabytes_per_second']:.0f} MB of text a second")
    save_results("console", {"overhead": figures})


def measure_processor(folder: Path) -> dict[str, float]:
    """The shares of one processor that the console and the stack take, with a tab open and without the console."""
    seconds = SHORT_SECONDS if is_short() else SECONDS
    # What happens once after the deployment is not counted.
    time.sleep(seconds / 4)
    without = _measure_share(folder, seconds)
    environment = {**os.environ, "SLUICE_LOCAL": str(folder)}
    command = [sys.executable, "-m", "ops", "console", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as console:
        assert console.stderr is not None
        [address, token] = re.findall(r"(http://[^/]+)/#token=(\S+)", console.stderr.readline())[0]
        tab = threading.Thread(target=_read_events, args=(address, token), daemon=True)
        tab.start()
        time.sleep(seconds / 4)
        before = read_processor_seconds(console.pid)
        with_console = _measure_share(folder, seconds)
        used = read_processor_seconds(console.pid) - before
        console.terminate()
    tab.join(10)
    return {
        "console_share": round(used / seconds, 4),
        "stack_share_without": round(without, 4),
        "stack_share_with": round(with_console, 4),
    }


def _read_events(address: str, token: str) -> None:
    with (
        suppress(httpx.HTTPError),
        httpx.stream("GET", f"{address}/api/events", headers={TOKEN_HEADER: token}, timeout=60) as response,
    ):
        for _ in response.iter_lines():
            pass


def _measure_share(folder: Path, seconds: float) -> float:
    """The share of one processor that a stack takes in the next seconds."""
    before = _read_processes(folder)
    time.sleep(seconds)
    return sum(used - before.get(pid, 0.0) for pid, used in _read_processes(folder).items()) / seconds


def _read_processes(folder: Path) -> dict[int, float]:
    """The processor seconds of each process of the stack, by pid: its command line names the folder."""
    used = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (process / "cmdline").read_bytes():
                used[int(process.name)] = read_processor_seconds(int(process.name))
    return used


def open_as_deployed(stack: Stack) -> OperatedStack:
    """The local stack as an operator's command sees a deployed one. All later calls of AWS go to its emulator."""
    os.environ["AWS_ENDPOINT_URL"] = stack.emulator.url
    session = boto3.Session("test", "test", region_name=LOCAL_REGION)
    return OperatedStack(Target(LOCAL_STACK, session))


def count_calls(operated: OperatedStack) -> dict[str, float]:
    """Calls and dollars of an hour with a tab open, from one reading of the status and one of metrics and alarms."""
    meter = CallMeter()
    operated.observe_calls(meter.count)
    picture = Picture(operated, meter)
    timeline = TimelineReader(operated, BatchWindowReader(operated))
    operated.output("BatchBucketName")  # read once
    counts = [(meter.operations.total(), meter.dollars)]
    # The second reading of each is without metrics.
    for read in (picture.read, picture.read, lambda: timeline.read(60, []), lambda: timeline.read(60, [])):
        read()
        counts.append((meter.operations.total(), meter.dollars))
    print(", ".join(f"{count} {name}" for name, count in sorted(meter.operations.items())))
    overview = [_scale(*counts) for counts in zip(*counts[:3], strict=True)]
    shown = [_scale(*counts) for counts in zip(*counts[2:], strict=True)]
    return {
        "calls_per_hour": round(overview[0]),
        "dollars_per_hour": round(overview[1], 5),
        "timeline_calls_per_hour": round(shown[0]),
        "timeline_dollars_per_hour": round(shown[1], 5),
    }


def _scale(before: float, with_metrics: float, end: float) -> float:
    """Calls or dollars of an hour, from one reading with metrics and one without."""
    frequent = end - with_metrics
    rare = with_metrics - before - frequent
    return frequent * 3600 / AWS_SECONDS + rare * 3600 / METRICS_SECONDS


def measure_search(operated: OperatedStack) -> dict[str, float]:
    """Megabytes of text that a search reads from one batch in a second, without a match."""
    count = SHORT_LINES if is_short() else LINES
    line = {"version": "01KB", "collection": "airports", "operation": "put", "owner": "", "schema": 1}
    text = b"".join(
        json.dumps({**line, "id": secrets.token_hex(4), "data": {"name": secrets.token_hex(200)}}).encode() + b"\n"
        for _ in range(count)
    )
    bucket = operated.output("BatchBucketName")
    # No event loads an object of this prefix.
    operated.client("s3").put_object(Bucket=bucket, Key="replays/bench", Body=gzip.compress(text, 6))
    started_at = time.perf_counter()
    assert list(read_lines(operated, "replays/bench", b'"no such id"')) == []
    return {"search_megabytes_per_second": round(len(text) / 1e6 / (time.perf_counter() - started_at), 1)}


if __name__ == "__main__":
    main()
