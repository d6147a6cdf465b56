"""Gap: a secret that CloudFormation generates had the punctuation that its template excludes."""

import json
from types import SimpleNamespace
from typing import Any

from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

from local.emulator.expectation import replace

_before = SimpleNamespace()

# What is about the value and not about the password.
AROUND = {"SecretStringTemplate", "GenerateStringKey"}


def _secret_string(props: dict[str, Any]) -> str:
    asked = props.get("GenerateSecretString")
    if not asked or props.get("SecretString"):
        return str(_before.secret_string(props))
    wanted = {name: _typed(value) for name, value in asked.items() if name not in AROUND}
    status, _, body = secretsmanager._get_random_password(wanted)
    answer = json.loads(body)
    if status >= 400:
        raise ValueError(answer.get("message"))
    password = str(answer["RandomPassword"])
    if "SecretStringTemplate" not in asked:
        return password
    return json.dumps({**json.loads(asked["SecretStringTemplate"]), asked["GenerateStringKey"]: password})


def _typed(value: Any) -> Any:
    """CloudFormation hands on what a template says as texts too."""
    if value in {"true", "false"}:
        return value == "true"
    return int(value) if isinstance(value, str) and value.isdigit() else value


def patch() -> None:
    _before.secret_string = replace(provisioners, "_sm_secret_string", "35e09b8c3f3d", _secret_string)
