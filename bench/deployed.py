"""`make bench`: what is measured on a deployed local stack of its own: replays, and a cold start of its package."""

import tempfile
from contextlib import suppress
from pathlib import Path

from bench import cold_start, replay
from local.process import LocalError
from local.stack import down, up


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as name:
        folder = Path(name)
        try:
            stack = up(folder / "stack")
            cold_start.measure(stack)
            replay.measure(stack, folder)
        finally:
            with suppress(LocalError):
                down(folder / "stack")


if __name__ == "__main__":
    main()
