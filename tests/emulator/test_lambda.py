import concurrent.futures
import io
import zipfile

import pytest

from testkit.emulator_harness import Emulator, build_function, deploy_stack, invoke_function, wait_until

CODE = """
    import os, sys, time

    class DatabaseUnavailable(Exception):
        pass

    def handle(event, context):
        event = event or {}
        if "sleep" in event:
            time.sleep(event["sleep"])
        if "print" in event:
            print(event["print"])
        if event.get("fail"):
            raise DatabaseUnavailable("no connection")
        if event.get("exit"):
            os._exit(3)
        if event.get("big"):
            return "x" * 7_000_000
        return {
            "pid": os.getpid(), "path": sys.path, "environment": dict(os.environ), "setting": os.environ.get("SETTING"),
            "version": context.function_version, "milliseconds": context.get_remaining_time_in_millis(),
        }
"""


@pytest.fixture(scope="module")
def names(emulator: Emulator) -> dict[str, str]:
    template = {
        "Resources": {
            "Plain": build_function(CODE, Environment={"Variables": {"SETTING": "one"}}),
            "Short": build_function(CODE, Timeout=1),
            "Limited": build_function(CODE, ReservedConcurrentExecutions=2, AutoPublishAlias="live"),
        },
        "Outputs": {name: {"Value": {"Ref": name}} for name in ("Plain", "Short", "Limited")},
    }
    return deploy_stack(emulator, "lambda", template)


def test_an_exception_is_reported_by_its_class_and_keeps_the_environment(
    emulator: Emulator, names: dict[str, str]
) -> None:
    before, _ = invoke_function(emulator, names["Plain"])
    error, answer = invoke_function(emulator, names["Plain"], {"fail": True})
    after, _ = invoke_function(emulator, names["Plain"])
    assert answer["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("DatabaseUnavailable", "no connection")
    assert "in handle" in error["stackTrace"][-1]
    assert after["pid"] == before["pid"]


@pytest.mark.parametrize(
    ("event", "error_type"),
    [
        ({"exit": True}, "Runtime.ExitError"),
        ({"sleep": 3}, "Sandbox.Timedout"),
        ({"big": True}, "Function.ResponseSizeTooLarge"),
    ],
)
def test_errors_of_the_runtime_have_their_names(
    emulator: Emulator, names: dict[str, str], event: dict[str, object], error_type: str
) -> None:
    error, _ = invoke_function(emulator, names["Short"], event)
    assert error["errorType"] == error_type
    assert invoke_function(emulator, names["Short"])[0]["pid"]


def test_no_output_is_lost(emulator: Emulator, names: dict[str, str]) -> None:
    invoke_function(emulator, names["Plain"])
    _, answer = invoke_function(emulator, names["Plain"], {"print": "first\nsecond"}, LogType="Tail")
    assert answer["LogResult"]
    log = (emulator.state / "logs" / f"{names['Plain']}.log").read_text()
    assert log.endswith("first\nsecond\n")
    streams = emulator.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{names['Plain']}")["logStreams"]
    assert len(streams) == 1


def test_no_variable_or_package_of_the_parent_process_reaches_a_function(
    emulator: Emulator, names: dict[str, str]
) -> None:
    response, _ = invoke_function(emulator, names["Plain"])
    environment = response["environment"]
    assert "AWS_PROFILE" not in environment
    assert "PYTHONPATH" not in environment
    assert environment["PATH"] == "/usr/local/bin:/usr/bin:/bin"
    assert environment["AWS_ENDPOINT_URL"] == emulator.url
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert not [path for path in response["path"] if path.endswith("site-packages")]
    assert response["milliseconds"] > 9_000


def test_reserved_concurrency_of_a_template_throttles(emulator: Emulator, names: dict[str, str]) -> None:
    client = emulator.client("lambda")

    def call(qualifier: str) -> int:
        try:
            client.invoke(FunctionName=names["Limited"], Payload='{"sleep": 1.5}', Qualifier=qualifier)
        except client.exceptions.TooManyRequestsException as error:
            return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        return 200

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(call, ["live", "$LATEST"] * 3))
    assert sorted(statuses) == [200] * 2 + [429] * 4


def test_a_throttled_asynchronous_invocation_is_retried(emulator: Emulator, names: dict[str, str]) -> None:
    for number in range(8):
        invoke_function(emulator, names["Limited"], {"sleep": 1.2, "print": f"event {number}"}, InvocationType="Event")
    log = emulator.state / "logs" / f"{names['Limited']}.log"
    expected = {f"event {number}" for number in range(8)}
    wait_until(lambda: log.exists() and expected <= set(log.read_text().splitlines()), 25)


def _build_package(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return buffer.getvalue()


def test_a_redeploy_changes_code_settings_layers_and_version(emulator: Emulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="packages")
    code = "import os, shared\ndef handle(event, context): return [{!r}, os.environ['SETTING'], shared.WORD, {}]"
    s3.put_object(Bucket="packages", Key="layer1", Body=_build_package(**{"python__shared.py": "WORD = 'first'"}))
    s3.put_object(Bucket="packages", Key="layer2", Body=_build_package(**{"python__shared.py": "WORD = 'second'"}))
    version = "context.function_version"

    def template(code_key: str, layer_key: str, setting: str) -> dict[str, object]:
        return {
            "Resources": {
                "Layer": {
                    "Type": "AWS::Serverless::LayerVersion",
                    "Properties": {"ContentUri": f"s3://packages/{layer_key}"},
                },
                "Changing": {
                    "Type": "AWS::Serverless::Function",
                    "Properties": {
                        "Runtime": "python3.13",
                        "Handler": "index.handle",
                        "CodeUri": f"s3://packages/{code_key}",
                        "Layers": [{"Ref": "Layer"}],
                        "AutoPublishAlias": "live",
                        "Environment": {"Variables": {"SETTING": setting}},
                    },
                },
            },
            "Outputs": {"Changing": {"Value": {"Ref": "Changing"}}},
        }

    s3.put_object(Bucket="packages", Key="code1", Body=_build_package(**{"index.py": code.format("old", version)}))
    s3.put_object(Bucket="packages", Key="code2", Body=_build_package(**{"index.py": code.format("new", version)}))
    name = deploy_stack(emulator, "redeploy", template("code1", "layer1", "a"))["Changing"]
    assert invoke_function(emulator, name, Qualifier="live")[0] == ["old", "a", "first", "1"]
    deploy_stack(emulator, "redeploy", template("code1", "layer2", "b"))
    assert invoke_function(emulator, name, Qualifier="live")[0] == ["old", "b", "second", "2"]
    deploy_stack(emulator, "redeploy", template("code2", "layer2", "b"))
    assert invoke_function(emulator, name, Qualifier="live")[0] == ["new", "b", "second", "3"]
    assert invoke_function(emulator, name)[0] == ["new", "b", "second", "$LATEST"]
