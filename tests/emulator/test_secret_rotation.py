import json
from typing import Any

import pytest

from tests.emulator.harness import Emulator, StackFailedError, build_function, deploy_stack, wait_until

# Takes the steps as a rotation does, and refuses one whose name its secret holds.
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


def rotating(value: dict[str, Any], *, permitted: bool = True) -> dict[str, Any]:
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


def test_a_rotation_takes_its_four_steps(emulator: Emulator) -> None:
    outputs = deploy_stack(emulator, "rotating", rotating({"first": True}))
    secrets = emulator.client("secretsmanager")
    before = secrets.get_secret_value(SecretId=outputs["Secret"])
    log = emulator.state / "logs" / f"{outputs['Rotator']}.log"
    wait_until(lambda: log.exists() and 'tested {"first": true}' in log.read_text())
    found = wait_until(lambda: _only_current(secrets, outputs["Secret"]))
    assert (found["RotationEnabled"], found["RotationRules"]) == (True, {"AutomaticallyAfterDays": 30})

    version = secrets.rotate_secret(SecretId=outputs["Secret"])["VersionId"]
    after = wait_until(lambda: _current(secrets, outputs["Secret"], version))
    assert json.loads(after["SecretString"]) == {"steps": [], "refuse": None}
    stages = secrets.describe_secret(SecretId=outputs["Secret"])["VersionIdsToStages"]
    assert stages[before["VersionId"]] == ["AWSPREVIOUS"]


def test_a_rotation_that_failed_is_taken_up_again(emulator: Emulator) -> None:
    outputs = deploy_stack(emulator, "refusing", rotating({"refuse": "setSecret"}))
    secrets = emulator.client("secretsmanager")
    wait_until(lambda: _only_current(secrets, outputs["Secret"]))
    version = secrets.rotate_secret(SecretId=outputs["Secret"])["VersionId"]
    wait_until(lambda: _has(secrets, outputs["Secret"], version))
    assert _current(secrets, outputs["Secret"], version) is None
    # Nothing refuses any more, once the current value says so.
    secrets.put_secret_value(SecretId=outputs["Secret"], SecretString="{}")
    with pytest.raises(secrets.exceptions.InvalidRequestException, match="will be reattempted"):
        secrets.rotate_secret(SecretId=outputs["Secret"])
    assert wait_until(lambda: _current(secrets, outputs["Secret"], version))


def test_a_function_that_does_not_let_secrets_manager_in_is_refused(emulator: Emulator) -> None:
    with pytest.raises(StackFailedError, match="cannot invoke the specified Lambda function"):
        deploy_stack(emulator, "unpermitted", rotating({}, permitted=False))


def _only_current(secrets: Any, secret: str) -> Any:
    found = secrets.describe_secret(SecretId=secret)
    return found if list(found["VersionIdsToStages"].values()) == [["AWSCURRENT"]] else None


def _current(secrets: Any, secret: str, version: str) -> Any:
    found = secrets.get_secret_value(SecretId=secret)
    return found if found["VersionId"] == version else None


def _has(secrets: Any, secret: str, version: str) -> bool:
    """Whether a pending version has been put."""
    try:
        secrets.get_secret_value(SecretId=secret, VersionId=version, VersionStage="AWSPENDING")
    except secrets.exceptions.ResourceNotFoundException:
        return False
    return True
