"""Gaps in the values that CloudFormation computes from a template.

- A condition compares the names of pseudo parameters, such as AWS::Region, instead of their values.
- A generated secret contains the punctuation that the template excludes.
"""

import json
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import secretsmanager
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

from local.emulator.patching import UnexpectedMiniStackError, replace_function

_original = SimpleNamespace()

# Modules that import the function by its name.
CONDITION_USERS = (changesets, handlers, stacks)

# Fields of GenerateSecretString that do not describe the password.
SECRET_LAYOUT_FIELDS = {"SecretStringTemplate", "GenerateStringKey"}


def _evaluate_conditions(template: dict[str, Any], params: dict[str, Any]) -> dict[str, bool]:
    values = {
        "AWS::Region": get_region(),
        "AWS::AccountId": get_account_id(),
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
    }
    pseudo_parameters = {name: {"Value": value} for name, value in values.items()}
    conditions: dict[str, bool] = _original.evaluate_conditions(template, {**pseudo_parameters, **params})
    return conditions


def _build_secret_string(props: dict[str, Any]) -> str:
    settings = props.get("GenerateSecretString")
    if not settings or props.get("SecretString"):
        return str(_original.build_secret_string(props))
    request = {name: _parse_value(value) for name, value in settings.items() if name not in SECRET_LAYOUT_FIELDS}
    status, _, body = secretsmanager._get_random_password(request)
    response = json.loads(body)
    if status >= 400:
        raise ValueError(response.get("message"))
    password = str(response["RandomPassword"])
    if "SecretStringTemplate" not in settings:
        return password
    return json.dumps({**json.loads(settings["SecretStringTemplate"]), settings["GenerateStringKey"]: password})


def _parse_value(value: Any) -> Any:
    """Convert the text of a boolean or a number: CloudFormation accepts both forms in a template."""
    if value in {"true", "false"}:
        return value == "true"
    return int(value) if isinstance(value, str) and value.isdigit() else value


def patch() -> None:
    _original.evaluate_conditions = replace_function(
        engine, "_evaluate_conditions", "e7f9e29b6c01", _evaluate_conditions
    )
    for module in CONDITION_USERS:
        if getattr(module, "_evaluate_conditions", None) is not _original.evaluate_conditions:
            raise UnexpectedMiniStackError(f"{module.__name__} no longer evaluates conditions: adapt template_values.")
        module._evaluate_conditions = _evaluate_conditions
    _original.build_secret_string = replace_function(
        provisioners, "_sm_secret_string", "35e09b8c3f3d", _build_secret_string
    )
