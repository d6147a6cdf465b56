"""The command: python -m ops; in a checkout, `./sluice`."""

import sys

from ops.outcome import INTERRUPTED


def run() -> int:
    """Do what the command line says, and return the exit code."""
    try:
        # Loading the SDK takes a moment, in which Ctrl-C is to be no traceback either.
        from ops.main import main  # noqa: PLC0415

        return main()
    except KeyboardInterrupt:
        print("sluice: Interrupted.", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(run())
