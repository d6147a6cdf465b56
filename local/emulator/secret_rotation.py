"""Gap: a rotation of a secret copied its value and called no function; CloudFormation knew no rotation schedule.

Here the function is called for each of the four steps, one after the other, beside the request, and not called again
when one of them fails. A schedule configures the rotation and has the step testSecret tried on a copy of the current
value; nothing rotates by the clock.
"""

import contextvars
import json
import logging
import threading
import time
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import error_response_json, json_response, new_uuid
from ministack.services import lambda_svc, secretsmanager
from ministack.services.cloudformation import provisioners

from local.emulator.expectation import UnexpectedError, replace

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")

Properties = dict[str, Any]

logger = logging.getLogger("ministack")
_before = SimpleNamespace()


def _refused(code: str, message: str) -> Any:
    return error_response_json(code, message, 400)


def _lets_secrets_manager_in(function: dict[str, Any]) -> bool:
    return any(
        one["Principal"] == {"Service": "secretsmanager.amazonaws.com"} for one in function["policy"]["Statement"]
    )


def _rotate_secret(data: dict[str, Any]) -> Any:
    _, secret = secretsmanager._resolve(data.get("SecretId"))
    if not secret or secret.get("DeletedDate") or secretsmanager._is_replica(secret):
        return _before.rotate(data)  # which says what is wrong
    arn = data.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
    if not arn:
        return _refused("InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.")
    function, _, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not _lets_secrets_manager_in(function):
        return _refused(
            "AccessDeniedException", f"Secrets Manager cannot invoke the specified Lambda function: {name}."
        )
    rules = data.get("RotationRules") or secret.get("RotationRules")
    secret.update(RotationLambdaARN=arn, RotationRules=rules, RotationEnabled=True)
    pending, version = secretsmanager._find_stage_version(secret, "AWSPENDING")
    if version and "AWSCURRENT" not in version["Stages"]:
        _start(secret, pending, STEPS)
        return _refused(
            "InvalidRequestException",
            "A previous rotation isn't complete. That rotation will be reattempted.",
        )
    token, now = data.get("ClientRequestToken") or new_uuid(), data.get("RotateImmediately", True)
    _, current = secretsmanager._find_stage_version(secret, "AWSCURRENT")
    secretsmanager._remove_stage_everywhere(secret, "AWSPENDING")
    secret["Versions"][token] = {
        "SecretString": None if now else current["SecretString"],
        "SecretBinary": None,
        "CreatedDate": int(time.time()),
        "Stages": ["AWSPENDING"],
    }
    _start(secret, token, STEPS if now else ("testSecret",))
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token})


def _start(secret: dict[str, Any], token: str, steps: tuple[str, ...]) -> None:
    context = contextvars.copy_context()
    threading.Thread(target=lambda: context.run(_take, secret, token, steps), daemon=True, name="rotation").start()


def _take(secret: dict[str, Any], token: str, steps: tuple[str, ...]) -> None:
    for step in steps:
        function, config, _ = lambda_svc._get_func_record_for_ref(secret["RotationLambdaARN"])
        record = lambda_svc._execution_record_for_config(function, config)
        event = {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": token}
        result = lambda_svc._execute_function_with_config_scope(record, event)
        if result.get("error"):
            logger.warning("The rotation of %s ended at %s: %s", secret["Name"], step, result.get("body"))
            break
    if steps == ("testSecret",):
        secret["Versions"].pop(token, None)


def _get_secret_value(data: dict[str, Any]) -> Any:
    answer = _before.get(data)
    if answer[0] == 200 and not {"SecretString", "SecretBinary"} & set(json.loads(answer[2])):
        return _refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret value.")
    return answer


def _schedule_create(_logical_id: str, props: Properties, _stack_name: str) -> tuple[str, Properties]:
    status, _, body = _rotate_secret(
        {
            "SecretId": props["SecretId"],
            "RotationLambdaARN": props.get("RotationLambdaARN"),
            "RotationRules": props.get("RotationRules"),
            "RotateImmediately": str(props.get("RotateImmediatelyOnUpdate", True)).lower() != "false",
        }
    )
    if status != 200:
        raise ValueError(json.loads(body).get("message"))
    return props["SecretId"], {}


def _schedule_update(_physical_id: str, _old: Properties, new: Properties, stack_name: str) -> tuple[str, Properties]:
    return _schedule_create("", new, stack_name)


def _schedule_delete(physical_id: str, _props: Properties) -> None:
    _, secret = secretsmanager._resolve(physical_id)
    if secret:
        secret["RotationEnabled"] = False


def patch() -> None:
    _before.rotate = replace(secretsmanager, "_rotate_secret", "29b4ea743fc3", _rotate_secret)
    _before.get = replace(secretsmanager, "_get_secret_value", "faa3eb333a8b", _get_secret_value)
    kind = "AWS::SecretsManager::RotationSchedule"
    if kind in provisioners._RESOURCE_HANDLERS:
        raise UnexpectedError(f"MiniStack makes {kind} by itself now: take it out of the emulator's patch.")
    provisioners._RESOURCE_HANDLERS[kind] = {
        "create": _schedule_create,
        "update": _schedule_update,
        "delete": _schedule_delete,
    }
