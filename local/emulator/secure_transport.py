"""Gap: the emulator listens without TLS, so every bucket policy that denies access without TLS denied all access.

All of it stays on the loopback interface: requests count as having come over TLS, and the policies of the template hold
as they are deployed.
"""

from typing import Any

from ministack.core import iam_evaluator

from local.emulator.expectation import replace

_before: dict[str, Any] = {}


def _resolve(key: str, context: Any) -> Any:
    return "true" if key.lower() == "aws:securetransport" else _before["resolve"](key, context)


def patch() -> None:
    _before["resolve"] = replace(iam_evaluator, "_resolve_condition_key", "15e26964cd38", _resolve)
