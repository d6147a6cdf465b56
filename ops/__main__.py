"""Run the command: `python -m ops`, or `./sluice` in a checkout."""

import sys

from ops.errors import EXIT_INTERRUPTED


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        # Importing the SDK takes a moment. Ctrl-C during that moment must not print a traceback.
        from ops.cli import run_command_line  # noqa: PLC0415

        return run_command_line()
    except KeyboardInterrupt:
        print("sluice: Interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
