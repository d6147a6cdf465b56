"""Gap: MiniStack rotates a secret by copying its value and calls no function. CloudFormation has no rotation schedule.

Here a thread calls the function for each of the four steps in turn. It stops when a step fails and does not retry. A
rotation schedule configures the rotation and runs the step testSecret on a copy of the current value. No secret rotates
by the clock. A rotation that runs when the emulator ends begins again at the next start.
"""

import contextvars
import functools
import json
import logging
import threading
import time
from types import SimpleNamespace
from typing import Any

from ministack.core.responses import error_response_json, json_response, new_uuid, request_scope
from ministack.services import lambda_svc, secretsmanager

from local.emulator.cloudformation.resource_types import Properties, add_resource_type
from local.emulator.durability import report, services
from local.emulator.firehose import ministack
from local.emulator.patching import replace_function

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
# The field of a secret with the token and the steps of the rotation that runs.
_RUNNING = "_RunningRotation"

_logger = logging.getLogger("ministack")
_original = SimpleNamespace()


def _rotate_secret(data: dict[str, Any]) -> Any:
    _, secret = secretsmanager._resolve(data.get("SecretId"))
    if not secret or secret.get("DeletedDate") or secretsmanager._is_replica(secret):
        return _original.rotate_secret(data)  # it returns the error
    arn = data.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
    if not arn:
        return _build_error(
            "InvalidRequestException", "No Lambda rotation function ARN is associated with this secret."
        )
    function, _, name = lambda_svc._get_func_record_for_ref(arn)
    if not function or not _allows_secrets_manager(function):
        return _build_error(
            "AccessDeniedException", f"Secrets Manager cannot invoke the specified Lambda function: {name}."
        )
    rules = data.get("RotationRules") or secret.get("RotationRules")
    secret.update(RotationLambdaARN=arn, RotationRules=rules, RotationEnabled=True)
    pending, version = secretsmanager._find_stage_version(secret, "AWSPENDING")
    if version and "AWSCURRENT" not in version["Stages"]:
        if _RUNNING not in secret:
            _start_steps(secret, pending, STEPS)
        return _build_error(
            "InvalidRequestException",
            "A previous rotation isn't complete. That rotation will be reattempted.",
        )
    token, rotates_now = data.get("ClientRequestToken") or new_uuid(), data.get("RotateImmediately", True)
    steps = STEPS if rotates_now else ("testSecret",)
    _, current = secretsmanager._find_stage_version(secret, "AWSCURRENT")
    secretsmanager._remove_stage_everywhere(secret, "AWSPENDING")
    secret["Versions"][token] = {
        "SecretString": None if rotates_now else current["SecretString"],
        "SecretBinary": None,
        "CreatedDate": int(time.time()),
        "Stages": ["AWSPENDING"],
    }
    _start_steps(secret, token, steps)
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token})


def _allows_secrets_manager(function: dict[str, Any]) -> bool:
    """Whether the function's policy lets Secrets Manager invoke it."""
    principal = {"Service": "secretsmanager.amazonaws.com"}
    return any(statement["Principal"] == principal for statement in function["policy"]["Statement"])


def _build_error(code: str, message: str) -> Any:
    return error_response_json(code, message, 400)


def _start_steps(secret: dict[str, Any], token: str, steps: tuple[str, ...]) -> None:
    secret[_RUNNING] = [token, *steps]
    context = contextvars.copy_context()
    threading.Thread(target=lambda: context.run(_run_steps, secret, token, steps), daemon=True, name="rotation").start()


def _run_steps(secret: dict[str, Any], token: str, steps: tuple[str, ...]) -> None:
    try:
        _invoke_steps(secret, token, steps)
    finally:
        _end_rotation(secret, token, steps)


def _invoke_steps(secret: dict[str, Any], token: str, steps: tuple[str, ...]) -> None:
    for step in steps:
        function, config, _ = lambda_svc._get_func_record_for_ref(secret["RotationLambdaARN"])
        record = lambda_svc._execution_record_for_config(function, config)
        event = {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": token}
        result = lambda_svc._execute_function_with_config_scope(record, event)
        if result.get("error"):
            _logger.warning("The rotation of %s stopped at %s: %s", secret["Name"], step, result.get("body"))
            return


def _end_rotation(secret: dict[str, Any], token: str, steps: tuple[str, ...]) -> None:
    _, current = secretsmanager._resolve(secret["ARN"])
    for record in filter(None, (secret, current)):  # an update replaces the record
        if steps == ("testSecret",):
            record["Versions"].pop(token, None)
        record.pop(_RUNNING, None)
    services.save_service("secretsmanager")


def _get_secret_value(data: dict[str, Any]) -> Any:
    response = _original.get_secret_value(data)
    # A version without a value exists between the start of a rotation and its first step.
    if response[0] == 200 and not {"SecretString", "SecretBinary"} & set(json.loads(response[2])):
        return _build_error("ResourceNotFoundException", "Secrets Manager can't find the specified secret value.")
    return response


def _create_schedule(_logical_id: str, props: Properties, _stack_name: str) -> tuple[str, Properties]:
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


def _update_schedule(_physical_id: str, _old: Properties, new: Properties, stack_name: str) -> tuple[str, Properties]:
    return _create_schedule("", new, stack_name)


def _delete_schedule(physical_id: str, _props: Properties) -> None:
    _, secret = secretsmanager._resolve(physical_id)
    if secret:
        secret["RotationEnabled"] = False


def _restore_state(data: dict[str, Any]) -> None:
    _original.restore_state(data)
    for (account, region, _), secret in list(secretsmanager._secrets._data.items()):
        if _RUNNING in secret:
            report.add("rotations begun again", 1)
            rotate = functools.partial(_rotate_again, account, region, secret)
            threading.Thread(target=rotate, daemon=True, name="rotation").start()


def _rotate_again(account: str, region: str, secret: dict[str, Any]) -> None:
    ministack.wait_for_server()
    token, *steps = secret[_RUNNING]
    with request_scope(account, region):
        _run_steps(secret, token, tuple(steps))


def patch() -> None:
    _original.restore_state = replace_function(secretsmanager, "_restore_state", "fce3198f0fe9", _restore_state)
    _original.rotate_secret = replace_function(secretsmanager, "_rotate_secret", "29b4ea743fc3", _rotate_secret)
    _original.get_secret_value = replace_function(
        secretsmanager, "_get_secret_value", "faa3eb333a8b", _get_secret_value
    )
    add_resource_type(
        "AWS::SecretsManager::RotationSchedule", _create_schedule, _delete_schedule, update=_update_schedule
    )
