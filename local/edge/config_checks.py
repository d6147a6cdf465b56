"""Checks of deployed configuration: the edge rejects every part that it cannot enforce.

If the edge ignored an unknown rule, a test could pass although nothing enforces that rule.
"""

from collections.abc import Iterable, Mapping
from typing import Any


class UnsupportedConfiguration(Exception):  # noqa: N818 - it describes a configuration
    """A part of the deployed configuration that the edge cannot enforce. The message names the part."""


def reject_unknown_keys(config: Mapping[str, Any], known_keys: Iterable[str], context: str) -> None:
    """Raise UnsupportedConfiguration if `config` has a key that is not in `known_keys`."""
    unknown = [name for name in config if name not in set(known_keys)]
    if unknown:
        raise UnsupportedConfiguration(f"{context}: the local edge does not enforce {', '.join(sorted(unknown))}")


def require_one_key(config: Mapping[str, Any], known_keys: Iterable[str], context: str) -> str:
    """Return the only key of `config`. Raise UnsupportedConfiguration unless there is exactly one, and it is known."""
    reject_unknown_keys(config, known_keys, context)
    if len(config) != 1:
        raise UnsupportedConfiguration(f"{context}: expected one of {', '.join(sorted(known_keys))}, not {len(config)}")
    return next(iter(config))


def list_items(section: Mapping[str, Any] | None) -> list[Any]:
    """The items of a CloudFront list, which comes as `{"Quantity": n, "Items": [...]}`."""
    return list((section or {}).get("Items") or [])
