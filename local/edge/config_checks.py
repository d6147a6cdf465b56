"""Checks of deployed configuration: the edge rejects every part that it cannot enforce."""

from collections.abc import Iterable, Mapping
from typing import Any


class UnsupportedConfiguration(Exception):  # noqa: N818 - it is a sentence about a configuration
    """A part of the deployed configuration that the edge cannot enforce. The message names it."""


def reject_unknown_keys(given: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """Raises NotUnderstood unless everything that is set in `given` has a name that is known."""
    unknown = [name for name in given if name not in set(known)]
    if unknown:
        raise UnsupportedConfiguration(f"{what}: {', '.join(sorted(unknown))} is not enforced by the local edge")


def require_one_key(given: Mapping[str, Any], known: Iterable[str], what: str) -> str:
    """The one name that `given` has. Raises NotUnderstood unless it is exactly one, and known."""
    reject_unknown_keys(given, known, what)
    if len(given) != 1:
        raise UnsupportedConfiguration(f"{what}: one of {', '.join(sorted(known))} is wanted, not {len(given)}")
    return next(iter(given))


def list_items(part: Mapping[str, Any] | None) -> list[Any]:
    """The items of one of CloudFront's lists, which come with their quantity."""
    return list((part or {}).get("Items") or [])
