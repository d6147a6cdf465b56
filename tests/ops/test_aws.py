"""Which stack the command operates, and the errors when AWS or the stack cannot be reached."""

import http.server
import json
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    LoginRefreshRequired,
    NoCredentialsError,
    PartialCredentialsError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from ops.aws import LOCAL_STACK, choose_target, find_local_addresses
from ops.aws_errors import explain_aws_error
from ops.errors import UsageError
from testkit.emulator_harness import Emulator
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import STACK_NAME, StubStack


def test_no_stack_is_named_and_no_local_stack_runs(bare_sluice: Sluice) -> None:
    assert "No stack is named" in bare_sluice("status").usage_error()


def test_the_state_file_of_a_stopped_stack_is_ignored(bare_sluice: Sluice, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"emulator_port": 9}))
    assert "No stack is named" in bare_sluice("status").usage_error()
    (tmp_path / "state.json").write_text("{")
    assert find_local_addresses() is None


def test_the_local_stack_is_the_default_when_it_runs(
    clean_environment: Any, emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"emulator_port": emulator.port}))
    for name in (None, LOCAL_STACK):
        target = choose_target(name, None, None)
        assert target.local is not None
        assert (target.name, target.local.aws) == (LOCAL_STACK, emulator.url)
    assert choose_target("mine", "eu-west-1", None).local is None
    assert choose_target(LOCAL_STACK, "eu-west-1", None).local is None


def test_a_port_of_another_program_is_no_stack(tmp_path: Path, clean_environment: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            connection.sendall(b"220 mail.example\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        (tmp_path / "state.json").write_text(json.dumps({"emulator_port": server.getsockname()[1]}))
        assert find_local_addresses() is None


def test_an_empty_stack_name_is_a_usage_error(sluice: Sluice) -> None:
    assert sluice("status", "--stack-name", "").usage_error() == "--stack-name is empty. Give the name of a stack."


def test_an_unknown_region_is_a_usage_error(bare_sluice: Sluice) -> None:
    assert "The AWS region is unknown" in bare_sluice("status", "--stack-name", "mine").usage_error()
    assert "The AWS region is unknown" in bare_sluice("status", "--stack-name", "mine", "--region", "").usage_error()


def test_missing_credentials_are_a_usage_error(bare_sluice: Sluice) -> None:
    sentence = bare_sluice("status", "--stack-name", "mine", "--region", "eu-west-1").usage_error()
    assert sentence == "AWS finds no usable credentials. Sign in, or give --profile."


def test_an_unknown_profile_is_a_usage_error(bare_sluice: Sluice) -> None:
    assert (
        "(nobody) could not be found"
        in bare_sluice("status", "--stack-name", "mine", "--profile", "nobody").usage_error()
    )


def test_an_unknown_stack_is_a_usage_error(sluice: Sluice) -> None:
    sentence = sluice("status", "--stack-name", "nope").usage_error()
    assert sentence == "There is no stack nope in us-east-1. Check --stack-name and --region."


def test_a_stack_that_is_not_a_sluice_stack_is_a_usage_error(
    sluice: Sluice, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.aws.Stack.outputs", {"Other": "1"})
    assert f"The stack {STACK_NAME} has no output HealthCheckFunctionName" in sluice("status").usage_error()


def test_an_unreachable_endpoint_is_an_operation_error(sluice: Sluice, clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    clean_environment.setenv("AWS_MAX_ATTEMPTS", "1")
    clean_environment.setattr("ops.aws.CLIENT_CONFIG", None)
    assert sluice("status").operation_error() == (
        'AWS cannot be reached: Could not connect to the endpoint URL: "http://127.0.0.1:9/". '
        "Check the network, --region and $AWS_ENDPOINT_URL."
    )


def test_a_response_that_is_not_of_aws_is_an_operation_error(
    sluice: Sluice, clean_environment: pytest.MonkeyPatch
) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Please sign in")

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        clean_environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        sentence = sluice("status").operation_error()
        server.shutdown()
    assert sentence.startswith("AWS cannot be reached: Unable to parse response")


@pytest.mark.parametrize(
    ("words", "variables", "part"),
    [
        (["--region", "no region"], {}, "'no region' doesn't match a supported format. Check --region"),
        ([], {"AWS_ENDPOINT_URL": "nonsense"}, "Invalid endpoint: nonsense. Check --region and $AWS_ENDPOINT_URL"),
        ([], {"AWS_CONFIG_FILE": "/etc/hostname"}, "Unable to parse config file: /etc/hostname. Check --profile"),
    ],
)
def test_invalid_settings_are_usage_errors(
    sluice: Sluice, clean_environment: pytest.MonkeyPatch, words: list[str], variables: dict[str, str], part: str
) -> None:
    for name, value in variables.items():
        clean_environment.setenv(name, value)
    assert part in sluice("status", *words).usage_error()


@pytest.mark.parametrize(
    "error",
    [
        NoCredentialsError(),
        PartialCredentialsError(provider="env", cred_var="aws_secret_access_key"),
        CredentialRetrievalError(provider="process", error_msg="no"),
        SSOTokenLoadError(error_msg="no"),
        UnauthorizedSSOTokenError(),
        TokenRetrievalError(provider="sso", error_msg="no"),
        LoginRefreshRequired(),
    ],
)
def test_every_credential_error_is_a_usage_error(error: Any) -> None:
    explained = explain_aws_error(error)
    assert isinstance(explained, UsageError)
    assert str(explained) == "AWS finds no usable credentials. Sign in, or give --profile."


@pytest.mark.parametrize(
    ("code", "is_usage_error", "part"),
    [
        ("ExpiredToken", True, "does not accept these credentials (ExpiredToken)"),
        ("UnrecognizedClientException", True, "does not accept these credentials"),
        ("AccessDeniedException", True, "have no permission for StartExecution"),
        ("ThrottlingException", False, "rejects StartExecution with ThrottlingException: slow down."),
    ],
)
def test_errors_of_aws_are_explained(code: str, is_usage_error: bool, part: str) -> None:
    explained = explain_aws_error(ClientError({"Error": {"Code": code, "Message": "slow down"}}, "StartExecution"))
    assert isinstance(explained, UsageError) is is_usage_error
    assert part in str(explained)
