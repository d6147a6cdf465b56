"""Gap: the condition key aws:PrincipalArn had the ARN of a role's session, where AWS compares the role's own."""

from typing import Any

from ministack.core import iam_evaluator

from local.emulator import secure_transport
from local.emulator.expectation import UnexpectedError


def _resolve(key: str, context: Any) -> Any:
    found = secure_transport._resolve(key, context)
    if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(found):
        return found
    account, _, session = str(found).removeprefix("arn:aws:sts::").partition(":assumed-role/")
    return f"arn:aws:iam::{account}:role/{session.split('/')[0]}"


def patch() -> None:
    """Comes after secure_transport, which looks at the source of what both take the place of."""
    if iam_evaluator._resolve_condition_key is not secure_transport._resolve:
        raise UnexpectedError("The patch of aws:PrincipalArn must come right after that of aws:SecureTransport.")
    iam_evaluator._resolve_condition_key = _resolve
