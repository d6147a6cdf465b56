"""Command-line arguments that several commands share."""

import argparse
from typing import Any


def add_common_arguments(found: argparse.ArgumentParser, default: Any = argparse.SUPPRESS) -> None:
    """Add them. Only the outermost parser has a default: none may overwrite what stands before a verb."""
    group = found.add_argument_group("which stack, and how to print")
    group.add_argument("--stack-name", metavar="NAME", default=default, help="default: the local stack, when it runs")
    group.add_argument(
        "--region", metavar="REGION", default=default, help="default: the profile's or the environment's"
    )
    group.add_argument("--profile", metavar="PROFILE", default=default, help="of AWS's configuration files")
    group.add_argument("--json", action="store_true", default=default or False, help="print one JSON document")
