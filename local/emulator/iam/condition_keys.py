"""Gaps in the condition keys of IAM policies.

- `aws:SecureTransport` is false, because the emulator listens without TLS: a bucket policy that denies access without
  TLS then denies all access. All requests stay on the loopback interface, so here they count as requests over TLS.
- `aws:PrincipalArn` is the ARN of a role's session. AWS uses the ARN of the role.
- A simulation ignores its `ContextEntries`, so no policy with a condition on another key allows anything there.
"""

from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam

from local.emulator.patching import replace_function

_original = SimpleNamespace()
# The condition keys of the simulation that is being made, in lower case.
_simulated_keys: ContextVar[dict[str, list[str]]] = ContextVar("_simulated_keys")


def _resolve_condition_key(key: str, context: Any) -> Any:
    if key.lower() == "aws:securetransport":
        return "true"
    if (simulated := _simulated_keys.get({}).get(key.lower())) is not None:
        return simulated[0] if len(simulated) == 1 else simulated
    value = _original.resolve_condition_key(key, context)
    if key.lower() == "aws:principalarn" and ":assumed-role/" in str(value):
        return _convert_to_role_arn(str(value))
    return value


def _convert_to_role_arn(session_arn: str) -> str:
    account, _, session = session_arn.removeprefix("arn:aws:sts::").partition(":assumed-role/")
    return f"arn:aws:iam::{account}:role/{session.split('/')[0]}"


def _extract_simulate_params(parameters: Any) -> Any:
    _simulated_keys.set(_read_context_entries(parameters))
    return _original.extract_simulate_params(parameters)


def _read_context_entries(parameters: Any) -> dict[str, list[str]]:
    entries: dict[str, list[str]] = {}
    while name := iam._p(parameters, f"ContextEntries.member.{len(entries) + 1}.ContextKeyName"):
        values = f"ContextEntries.member.{len(entries) + 1}.ContextKeyValues.member."
        entries[name.lower()] = [iam._p(parameters, key) for key in sorted(parameters) if key.startswith(values)]
    return entries


def _build_simulate_results(*arguments: Any) -> Any:
    try:
        return _original.build_simulate_results(*arguments)
    finally:
        _simulated_keys.set({})


def patch() -> None:
    _original.resolve_condition_key = replace_function(
        iam_evaluator, "_resolve_condition_key", "15e26964cd38", _resolve_condition_key
    )
    _original.extract_simulate_params = replace_function(
        iam, "_extract_simulate_params", "60c76235f2dd", _extract_simulate_params
    )
    _original.build_simulate_results = replace_function(
        iam, "_build_simulate_results_real", "a9090ec34b89", _build_simulate_results
    )
