"""Start the AWS emulator of the local stack: python -m local.emulator --port N --state DIR [--log FILE]."""

import argparse
import gc
import os
import sys
from pathlib import Path

from local.emulator import environment, patching
from local.emulator.durability import report
from local.emulator.functions.leftovers import end_leftovers


def main() -> int:
    """Run until SIGTERM or SIGINT and return the exit code."""
    # MiniStack's modules stay. With Python's thresholds the collector looks at them again and again: the start takes
    # 0.9 s of processor time instead of 0.6 s.
    gc.set_threshold(50_000, 20, 20)
    arguments = _parse_arguments()
    state = arguments.state.resolve()
    if arguments.log:
        _redirect_output(arguments.log.resolve())
    leftovers = end_leftovers(state / "tmp")
    environment.reset_environment(
        arguments.port,
        state,
        arguments.log_level,
        database=arguments.database,
        cache=arguments.cache,
        has_nightly_backups=arguments.nightly_backups,
    )
    report.begin(state / "services")
    report.add("processes of functions ended", leftovers)
    try:
        patching.check_version()
        from local.emulator import server  # noqa: PLC0415 - MiniStack reads the new environment when it is imported

        gc.freeze()
        server.run_server(arguments.port)
    except (patching.UnexpectedMiniStackError, OSError) as error:
        print(f"The emulator did not start: {error}", file=sys.stderr)
        return 1
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.emulator",
        description="MiniStack with patches, on 127.0.0.1 only, with IAM enforced. "
        "It is healthy when GET /_ministack/health answers. SIGTERM delivers buffered records and saves the state. "
        "SIGUSR1 delivers the source records that wait for their backup, which AWS delays by a minute at least. "
        "After SIGKILL the next start has everything that was acknowledged.",
    )
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--state", type=Path, required=True, help="folder of all state: objects, services, code")
    parser.add_argument("--log", type=Path, help="file to append the log to (default: standard error)")
    parser.add_argument("--database", type=Path, help="folder of the database servers, to serve RDS's API for them")
    parser.add_argument("--nightly-backups", action="store_true", help="back the database servers up each night")
    parser.add_argument("--cache", type=Path, help="folder of the cache, to collect its metrics")
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return parser.parse_args()


def _redirect_output(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
