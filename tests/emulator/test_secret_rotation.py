import json
from typing import Any

import pytest

from testkit.emulator_harness import Emulator, StackFailedError, build_function, deploy_stack, wait_until

# Runs the steps of a rotation, and fails at the step that the secret's field `refuse` names.
ROTATOR = """
    import json, boto3

    def handle(event, context):
        secrets = boto3.client("secretsmanager")
        secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
        current = secrets.get_secret_value(SecretId=secret)
        value = json.loads(current["SecretString"])
        if value.get("refuse") == step:
            raise RuntimeError("refused")
        if step == "createSecret":
            try:
                secrets.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
            except secrets.exceptions.ResourceNotFoundException:
                value = {"steps": [], "refuse": value.get("later")}
                secrets.put_secret_value(SecretId=secret, ClientRequestToken=token, VersionStages=["AWSPENDING"],
                                         SecretString=json.dumps(value))
        if step == "testSecret":
            print("tested", secrets.get_secret_value(SecretId=secret, VersionId=token)["SecretString"])
        if step == "finishSecret":
            secrets.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token,
                                                RemoveFromVersionId=current["VersionId"])
"""
POLICY = [{"Statement": [{"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}]}]


def build_template(value: dict[str, Any], *, permitted: bool = True) -> dict[str, Any]:
    arn = {"Fn::GetAtt": ["Rotator", "Arn"]}
    resources: dict[str, Any] = {
        "Rotator": build_function(ROTATOR, Policies=POLICY),
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": json.dumps(value)}},
        "Schedule": {
            "Type": "AWS::SecretsManager::RotationSchedule",
            "Properties": {
                "SecretId": {"Fn::GetAtt": ["Secret", "Id"]},
                "RotationLambdaARN": arn,
                "RotateImmediatelyOnUpdate": False,
                "RotationRules": {"AutomaticallyAfterDays": 30},
            },
        },
    }
    if permitted:
        resources["Schedule"]["DependsOn"] = ["Permission"]
        resources["Permission"] = {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": arn,
                "Principal": "secretsmanager.amazonaws.com",
            },
        }
    outputs = {
        "Secret": {"Value": {"Fn::GetAtt": ["Secret", "Id"]}},
        "Rotator": {"Value": {"Ref": "Rotator"}},
    }
    return {"Resources": resources, "Outputs": outputs}


def test_a_rotation_runs_its_four_steps(emulator: Emulator) -> None:
    outputs = deploy_stack(emulator, "rotating", build_template({"first": True}))
    secrets = emulator.client("secretsmanager")
    before = secrets.get_secret_value(SecretId=outputs["Secret"])
    log = emulator.state / "logs" / f"{outputs['Rotator']}.log"
    wait_until(lambda: log.exists() and 'tested {"first": true}' in log.read_text())
    description = wait_until(lambda: _describe_if_only_current(secrets, outputs["Secret"]))
    assert (description["RotationEnabled"], description["RotationRules"]) == (True, {"AutomaticallyAfterDays": 30})

    version = secrets.rotate_secret(SecretId=outputs["Secret"])["VersionId"]
    after = wait_until(lambda: _get_if_current(secrets, outputs["Secret"], version))
    assert json.loads(after["SecretString"]) == {"steps": [], "refuse": None}
    stages = secrets.describe_secret(SecretId=outputs["Secret"])["VersionIdsToStages"]
    assert stages[before["VersionId"]] == ["AWSPREVIOUS"]


def test_a_failed_rotation_is_repeated(emulator: Emulator) -> None:
    outputs = deploy_stack(emulator, "refusing", build_template({"refuse": "setSecret"}))
    secrets = emulator.client("secretsmanager")
    wait_until(lambda: _describe_if_only_current(secrets, outputs["Secret"]))
    version = secrets.rotate_secret(SecretId=outputs["Secret"])["VersionId"]
    wait_until(lambda: _has_pending_version(secrets, outputs["Secret"], version))
    assert _get_if_current(secrets, outputs["Secret"], version) is None
    # The current value without `refuse` lets the next attempt succeed.
    secrets.put_secret_value(SecretId=outputs["Secret"], SecretString="{}")
    with pytest.raises(secrets.exceptions.InvalidRequestException, match="will be reattempted"):
        secrets.rotate_secret(SecretId=outputs["Secret"])
    assert wait_until(lambda: _get_if_current(secrets, outputs["Secret"], version))


def test_a_function_that_secrets_manager_cannot_invoke_is_rejected(emulator: Emulator) -> None:
    with pytest.raises(StackFailedError, match="cannot invoke the specified Lambda function"):
        deploy_stack(emulator, "unpermitted", build_template({}, permitted=False))


def _describe_if_only_current(secrets: Any, secret: str) -> Any:
    description = secrets.describe_secret(SecretId=secret)
    return description if list(description["VersionIdsToStages"].values()) == [["AWSCURRENT"]] else None


def _get_if_current(secrets: Any, secret: str, version: str) -> Any:
    value = secrets.get_secret_value(SecretId=secret)
    return value if value["VersionId"] == version else None


def _has_pending_version(secrets: Any, secret: str, version: str) -> bool:
    try:
        secrets.get_secret_value(SecretId=secret, VersionId=version, VersionStage="AWSPENDING")
    except secrets.exceptions.ResourceNotFoundException:
        return False
    return True
