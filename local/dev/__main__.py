"""`make dev`."""

import os
import signal
import sys
import time

from local.dev.rounds import Server
from local.dev.sources import SourceWatcher
from local.process import LocalError
from local.stack import up

NOT_SERVED = "what was served before is still served"


def main() -> int:
    """Bring the stack up, and serve each change until Ctrl-C; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # A shell lets its background jobs ignore Ctrl-C, and a supervisor sends SIGTERM: both end it in the same way.
        signal.signal(number, signal.default_int_handler)
    watcher = SourceWatcher()
    try:
        stack = up(report_progress=_print_progress)
        server = Server(stack, _print_progress)
        print(f"API    {stack.api_url}")
        print(
            "serving each change of src, template.yaml, samconfig.toml, statemachines and layers; Ctrl-C ends it",
            flush=True,
        )
        for changed in watcher.wait_for_changes():
            _report_round(changed, watcher, server)
    except LocalError as error:
        _print_failure(error)
        return 1
    except KeyboardInterrupt:
        pass
    print("\nThe local stack runs on; `make down` stops it.")
    return 0


def _report_round(changed: list[str], watcher: SourceWatcher, server: Server) -> None:
    """Serve the changed files, and print one line about it: what changed, what was done, seconds."""
    started, clock = time.monotonic(), time.strftime("%H:%M:%S")
    names = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    try:
        done = server.serve(changed)
        watcher.mark_as_served()
    except LocalError as error:
        _print_failure(error)
        done = NOT_SERVED
    print(f"{clock}  {names or 'all as it was'}: {done}, {time.monotonic() - started:.1f} s", flush=True)


def _print_progress(line: str) -> None:
    print(f"  {line}", flush=True)


def _print_failure(error: LocalError) -> None:
    if log := error.describe_log():
        print(log)
    print(f"sluice: {error}", flush=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # A thread of the watcher must not delay the end.
    os._exit(code)
