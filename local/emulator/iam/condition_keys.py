"""Gaps in the condition keys of IAM policies.

- `aws:SecureTransport` is false, because the emulator listens without TLS: a bucket policy that denies access without
  TLS then denies all access. All requests stay on the loopback interface, so here they count as requests over TLS.
- `aws:PrincipalArn` is the ARN of a role's session. AWS uses the ARN of the role.
"""

from types import SimpleNamespace
from typing import Any

from ministack.core import iam_evaluator

from local.emulator.patching import replace_function

_original = SimpleNamespace()


def _resolve_condition_key(key: str, context: Any) -> Any:
    if key.lower() == "aws:securetransport":
        return "true"
    value = _original.resolve_condition_key(key, context)
    if key.lower() == "aws:principalarn" and ":assumed-role/" in str(value):
        return _convert_to_role_arn(str(value))
    return value


def _convert_to_role_arn(session_arn: str) -> str:
    account, _, session = session_arn.removeprefix("arn:aws:sts::").partition(":assumed-role/")
    return f"arn:aws:iam::{account}:role/{session.split('/')[0]}"


def patch() -> None:
    _original.resolve_condition_key = replace_function(
        iam_evaluator, "_resolve_condition_key", "15e26964cd38", _resolve_condition_key
    )
