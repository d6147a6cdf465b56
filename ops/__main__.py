"""The command: python -m ops; in a checkout, `./sluice`."""

import sys

from ops.errors import EXIT_INTERRUPTED


def main() -> int:
    """Do what the command line says, and return the exit code."""
    try:
        # Loading the SDK takes a moment, in which Ctrl-C is to be no traceback either.
        from ops.cli import run_command_line  # noqa: PLC0415

        return run_command_line()
    except KeyboardInterrupt:
        print("sluice: Interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
