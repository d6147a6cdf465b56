"""What the emulator acknowledged before SIGKILL is there after the next start.

The module writes all that its tests ask for, kills the emulator once and starts it again.
"""

import datetime
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.emulator.durability.objects import finish_writes
from local.emulator.durability.report import read_report
from testkit.emulator_harness import Emulator, build_function, deploy_stack, invoke_function, start_emulator, wait_until

SLOW = """
    import time

    def handle(event, context):
        time.sleep(event.get("sleep", 0))
        return "done"
"""
# Its first attempt never ends. A second emulator invokes it again, and then it ends.
ROTATOR = """
    import boto3, pathlib, time

    def handle(event, context):
        secrets = boto3.client("secretsmanager")
        secret, token = event["SecretId"], event["ClientRequestToken"]
        if event["Step"] == "createSecret":
            secrets.put_secret_value(SecretId=secret, ClientRequestToken=token, VersionStages=["AWSPENDING"],
                                     SecretString="rotated")
        attempted = pathlib.Path("{folder}/attempted")
        if event["Step"] == "setSecret" and not attempted.exists():
            attempted.touch()
            time.sleep(600)
        if event["Step"] == "finishSecret":
            current = secrets.get_secret_value(SecretId=secret)["VersionId"]
            secrets.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token,
                                                RemoveFromVersionId=current)
"""
UNTIL = datetime.datetime(2999, 1, 1, tzinfo=datetime.UTC)
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:DeleteBucket",
            "Resource": "arn:aws:s3:::kept",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator whose predecessor was killed."""
    state = tmp_path_factory.mktemp("durability")
    first = start_emulator(state)
    outputs = deploy_stack(first, "functions", _build_template(state))
    _write_objects(first)
    _write_settings(first, outputs)
    _start_executions(first, outputs)
    (state / "outputs.json").write_text(json.dumps(outputs))
    (state / "children.txt").write_text(" ".join(_list_children(first.process.pid)))
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    _leave_events(state)
    second = start_emulator(state)
    yield second
    if second.process.poll() is None:
        second.stop()


def _list_children(pid: int) -> list[str]:
    lists = [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    return [child for text in lists for child in text.split()]


def _build_template(state: Path) -> dict[str, Any]:
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [{"Ref": "Bucket"}]}}}
    definition = {
        "StartAt": "Work",
        "States": {
            "Work": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": "${Slow}", "Payload.$": "$"},
                "OutputPath": "$.Payload",
                "End": True,
            }
        },
    }
    machine = {
        "Type": "AWS::Serverless::StateMachine",
        "Properties": {
            "Definition": definition,
            "DefinitionSubstitutions": {"Slow": {"Ref": "Slow"}},
            "Policies": [{"LambdaInvokePolicy": {"FunctionName": {"Ref": "Slow"}}}],
            "Events": {"Created": {"Type": "EventBridgeRule", "Properties": {"Pattern": pattern}}},
        },
    }
    secrets_policy = [{"Statement": [{"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}]}]
    notifications = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    permission = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Ref": "Rotator"},
        "Principal": "secretsmanager.amazonaws.com",
    }
    resources = {
        "Slow": build_function(SLOW, Timeout=600),
        "Rotator": build_function(ROTATOR.replace("{folder}", str(state)), Timeout=600, Policies=secrets_policy),
        "Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission},
        "Machine": machine,
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"NotificationConfiguration": notifications}},
    }
    attributes = {"Slow": "Arn", "Rotator": "Arn"}
    outputs = {name: {"Value": {"Fn::GetAtt": [name, attribute]}} for name, attribute in attributes.items()}
    return {
        "Resources": resources,
        "Outputs": {**outputs, "Machine": {"Value": {"Ref": "Machine"}}, "Bucket": {"Value": {"Ref": "Bucket"}}},
    }


def _write_objects(emulator: Emulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="kept", ObjectLockEnabledForBucket=True)
    s3.put_bucket_policy(Bucket="kept", Policy=json.dumps(POLICY))
    s3.put_bucket_tagging(Bucket="kept", Tagging={"TagSet": [{"Key": "team", "Value": "a"}]})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket="kept", ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket="kept", Key="a/b", Body=b"first", Metadata={"m": "1"}, Tagging="t=1")
    s3.put_object(Bucket="kept", Key="a/b", Body=b"second", ContentType="text/x")
    s3.put_object(Bucket="kept", Key="deleted", Body=b"x")
    s3.delete_object(Bucket="kept", Key="deleted")
    s3.put_object(Bucket="kept", Key="held", Body=b"x", ObjectLockLegalHoldStatus="ON")
    s3.put_object(Bucket="kept", Key="locked", Body=b"x")
    s3.put_object_retention(Bucket="kept", Key="locked", Retention={"Mode": "COMPLIANCE", "RetainUntilDate": UNTIL})


def _write_settings(emulator: Emulator, outputs: dict[str, str]) -> None:
    secrets, cognito = emulator.client("secretsmanager"), emulator.client("cognito-idp")
    secrets.create_secret(Name="plain", SecretString="old")
    secrets.put_secret_value(SecretId="plain", SecretString="new")
    secrets.create_secret(Name="rotating", SecretString="old")
    secrets.rotate_secret(SecretId="rotating", RotationLambdaARN=outputs["Rotator"])
    wait_until((emulator.state / "attempted").exists)
    pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
    cognito.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
    emulator.client("ssm").put_parameter(Name="limit", Value="5", Type="String")
    emulator.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument=json.dumps({"Statement": []}))
    emulator.client("lambda").put_function_concurrency(FunctionName=outputs["Slow"], ReservedConcurrentExecutions=7)


def _start_executions(emulator: Emulator, outputs: dict[str, str]) -> None:
    states = emulator.client("stepfunctions")
    for name, seconds in (("ended", 0), ("running", 3)):
        states.start_execution(stateMachineArn=outputs["Machine"], name=name, input=json.dumps({"sleep": seconds}))
    ended = outputs["Machine"].replace(":stateMachine:", ":execution:") + ":ended"
    wait_until(lambda: states.describe_execution(executionArn=ended)["status"] == "SUCCEEDED")
    emulator.client("s3").put_object(Bucket=outputs["Bucket"], Key="stored", Body=b"x")

    def list_ended() -> Any:
        return states.list_executions(stateMachineArn=outputs["Machine"], statusFilter="SUCCEEDED")["executions"]

    wait_until(lambda: len(list_ended()) == 2)


def _leave_events(state: Path) -> None:
    """Leave what a kill leaves between a put and its execution: events of a stored object and of a lost one."""
    bucket = json.loads((state / "outputs.json").read_text())["Bucket"]
    for number, key in enumerate(("stored", "lost")):
        event = {
            "scope": ["000000000000", "us-east-1"],
            "arguments": [bucket, key, "s3:ObjectCreated:Put"],
            "options": {"size": 1, "etag": '"e"', "version_id": None, "sequencer": "00"},
        }
        (state / "services" / "events" / f"{number}.json").write_text(json.dumps(event))
    (state / "services" / "events" / "2.json").write_text('{"scope": ["00')


@pytest.fixture(scope="module")
def outputs(killed: Emulator) -> dict[str, str]:
    return dict(json.loads((killed.state / "outputs.json").read_text()))


def test_objects_have_their_versions_metadata_and_locks(killed: Emulator) -> None:
    s3 = killed.client("s3")
    listed = s3.list_object_versions(Bucket="kept")
    assert [marker["Key"] for marker in listed["DeleteMarkers"] if marker["IsLatest"]] == ["deleted"]
    versions = [version for version in listed["Versions"] if version["Key"] == "a/b"]
    contents = [s3.get_object(Bucket="kept", Key="a/b", VersionId=version["VersionId"]) for version in versions]
    assert [content["Body"].read() for content in contents] == [b"second", b"first"]
    assert (contents[0]["ContentType"], contents[1]["Metadata"]) == ("text/x", {"m": "1"})
    assert contents[0]["ServerSideEncryption"] == "aws:kms"
    tags = s3.get_object_tagging(Bucket="kept", Key="a/b", VersionId=versions[1]["VersionId"])["TagSet"]
    assert tags == [{"Key": "t", "Value": "1"}]
    assert s3.get_object_legal_hold(Bucket="kept", Key="held")["LegalHold"] == {"Status": "ON"}
    retention = s3.get_object_retention(Bucket="kept", Key="locked")["Retention"]
    assert retention == {"Mode": "COMPLIANCE", "RetainUntilDate": UNTIL}


def test_buckets_have_their_settings(killed: Emulator, outputs: dict[str, str]) -> None:
    s3 = killed.client("s3")
    assert json.loads(s3.get_bucket_policy(Bucket="kept")["Policy"]) == POLICY
    assert s3.get_bucket_tagging(Bucket="kept")["TagSet"] == [{"Key": "team", "Value": "a"}]
    assert s3.get_bucket_versioning(Bucket="kept")["Status"] == "Enabled"
    encryption = s3.get_bucket_encryption(Bucket="kept")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=outputs["Bucket"])


def test_settings_of_other_services_are_there(killed: Emulator, outputs: dict[str, str]) -> None:
    assert killed.client("secretsmanager").get_secret_value(SecretId="plain")["SecretString"] == "new"
    cognito = killed.client("cognito-idp")
    pool = cognito.list_user_pools(MaxResults=5)["UserPools"][0]["Id"]
    assert [user["Username"] for user in cognito.list_users(UserPoolId=pool)["Users"]] == ["ada"]
    assert killed.client("ssm").get_parameter(Name="limit")["Parameter"]["Value"] == "5"
    assert killed.client("iam").get_role(RoleName="kept")["Role"]["RoleName"] == "kept"
    concurrency = killed.client("lambda").get_function_concurrency(FunctionName=outputs["Slow"])
    assert concurrency["ReservedConcurrentExecutions"] == 7


def test_the_stack_works_without_a_deployment(killed: Emulator, outputs: dict[str, str]) -> None:
    stack = killed.client("cloudformation").describe_stacks(StackName="functions")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]} == outputs
    assert invoke_function(killed, outputs["Slow"], {})[0] == "done"


def test_a_running_execution_starts_again_and_an_ended_one_stays(killed: Emulator, outputs: dict[str, str]) -> None:
    states = killed.client("stepfunctions")
    prefix = outputs["Machine"].replace(":stateMachine:", ":execution:")
    ended = states.describe_execution(executionArn=f"{prefix}:ended")
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", '"done"')
    history = states.get_execution_history(executionArn=f"{prefix}:ended")["events"]
    assert history[-1]["type"] == "ExecutionSucceeded"
    running = f"{prefix}:running"
    wait_until(lambda: states.describe_execution(executionArn=running)["status"] == "SUCCEEDED", 15)


def test_an_event_is_sent_again_if_its_object_is_stored(killed: Emulator, outputs: dict[str, str]) -> None:
    states = killed.client("stepfunctions")

    def list_keys() -> list[str]:
        listed = states.list_executions(stateMachineArn=outputs["Machine"])["executions"]
        inputs = [
            json.loads(states.describe_execution(executionArn=each["executionArn"])["input"])
            for each in listed
            if each["name"] not in {"ended", "running"}
        ]
        return [entry["detail"]["object"]["key"] for entry in inputs]

    # The first execution is that of the put, before the kill.
    wait_until(lambda: list_keys() == ["stored", "stored"])
    wait_until(lambda: not list((killed.state / "services" / "events").iterdir()))


def test_an_interrupted_rotation_begins_again(killed: Emulator) -> None:
    secrets = killed.client("secretsmanager")
    wait_until(lambda: secrets.get_secret_value(SecretId="rotating")["SecretString"] == "rotated", 15)


def test_the_processes_of_functions_end_and_the_start_says_what_it_repaired(killed: Emulator) -> None:
    children = (killed.state / "children.txt").read_text().split()
    assert len(children) >= 2
    # The folder of a process that ended, but whose exit status nobody collected, has an empty command line.
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/cmdline").read_text()]
    report = read_report(killed.state / "services")
    for part in ("processes of functions ended: 2", "sent again: 2", "started again: 1", "begun again: 1"):
        assert part in report
    (killed.state / "services" / "restart.json").write_text("")
    assert not read_report(killed.state / "services")


def test_only_the_start_after_a_kill_has_a_report(start: Callable[[], Emulator]) -> None:
    for _ in range(2):
        emulator = start()
        assert not read_report(emulator.state / "services")
        emulator.stop()


def test_a_deployment_that_a_kill_interrupts_can_be_repeated(start: Callable[[], Emulator]) -> None:
    first = start()
    resources: dict[str, Any] = {"First": build_function(SLOW)}
    deploy_stack(first, "interrupted", {"Resources": resources})
    resources["Topic"] = {"Type": "AWS::SNS::Topic"}
    resources["Late"] = {
        "Type": "Custom::Slow",
        "Properties": {"ServiceToken": {"Fn::GetAtt": ["Never", "Arn"]}},
        "DependsOn": "Topic",
    }
    resources["Never"] = build_function(SLOW)
    body = json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources})
    client = first.client("cloudformation")
    client.update_stack(
        StackName="interrupted", TemplateBody=body, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    )
    wait_until(lambda: first.client("sns").list_topics()["Topics"])
    first.client("sns").create_topic(Name="meanwhile")
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    second = start()
    status = second.client("cloudformation").describe_stacks(StackName="interrupted")["Stacks"][0]["StackStatus"]
    assert status == "CREATE_COMPLETE"
    del resources["Late"]
    deploy_stack(second, "interrupted", {"Resources": resources})


def write_object(folder: Path, body: str, body_id: str) -> None:
    (folder / "key").write_text(body)
    (folder / "key.meta.json").write_text(json.dumps({"body_id": body_id}))


def test_a_put_whose_metadata_are_written_is_finished(tmp_path: Path) -> None:
    write_object(tmp_path, "old", "0000000b")
    (tmp_path / "key.0000000b.tmp").write_text("new")
    assert finish_writes(tmp_path) == 1
    assert (tmp_path / "key").read_text() == "new"
    assert finish_writes(tmp_path) == 0


def test_a_put_whose_metadata_are_not_written_did_not_happen(tmp_path: Path) -> None:
    write_object(tmp_path, "old", "0000000a")
    (tmp_path / "key.0000000b.tmp").write_text("new")
    (tmp_path / "key.meta.json.tmp").write_text('{"body_')
    (tmp_path / "other.0000000c.tmp").write_text("new")
    assert finish_writes(tmp_path) == 0
    assert (tmp_path / "key").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"key", "key.meta.json"}


def test_a_put_that_cannot_be_stored_fails(killed: Emulator) -> None:
    s3 = killed.client("s3")
    s3.create_bucket(Bucket="full")
    folder = killed.state / "objects" / "000000000000" / "full"
    folder.rmdir()
    folder.write_text("no folder")
    with pytest.raises(s3.exceptions.ClientError, match="500"):
        s3.put_object(Bucket="full", Key="x", Body=b"x")


def test_services_that_no_request_changes_are_not_written(killed: Emulator) -> None:
    file = killed.state / "services" / "iam.json"
    before = file.stat().st_mtime_ns
    time.sleep(0.01)
    killed.client("iam").list_roles()
    assert file.stat().st_mtime_ns == before
    killed.client("iam").create_user(UserName="new")
    assert file.stat().st_mtime_ns > before
