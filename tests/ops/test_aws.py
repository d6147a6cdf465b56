"""Which stack is meant, and what is said when that cannot be told or reached."""

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

from ops.aws import LOCAL_STACK, choose_target, find_local_endpoint
from ops.aws_errors import explain_aws_error
from tests.emulator.harness import Emulator
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import STACK_NAME, StubStack


def test_no_stack_is_named_and_none_runs_here(said: Sluice) -> None:
    assert "No stack is named" in said("status").usage_error()


def test_a_state_of_a_stack_that_has_ended_is_no_stack(said: Sluice, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"emulator_port": 9}))
    assert "No stack is named" in said("status").usage_error()
    (tmp_path / "state.json").write_text("{")
    assert find_local_endpoint() is None


def test_the_local_stack_is_meant_when_it_runs_and_nothing_else_is_named(
    surroundings: Any, emulator: Emulator, tmp_path: Path
) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"emulator_port": emulator.port}))
    for name in (None, LOCAL_STACK):
        target = choose_target(name, None, None)
        assert (target.name, target.endpoint) == (LOCAL_STACK, emulator.url)
    assert choose_target("mine", "eu-west-1", None).endpoint is None
    assert choose_target(LOCAL_STACK, "eu-west-1", None).endpoint is None


def test_a_port_that_somebody_else_has_is_no_stack(tmp_path: Path, surroundings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            connection.sendall(b"220 mail.example\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        (tmp_path / "state.json").write_text(json.dumps({"emulator_port": server.getsockname()[1]}))
        assert find_local_endpoint() is None


def test_an_empty_name_is_no_stack(sluice: Sluice) -> None:
    assert sluice("status", "--stack-name", "").usage_error() == "--stack-name is empty: give a stack's name."


def test_no_region(said: Sluice) -> None:
    assert "No region is known" in said("status", "--stack-name", "mine").usage_error()
    assert "No region is known" in said("status", "--stack-name", "mine", "--region", "").usage_error()


def test_no_credentials(said: Sluice) -> None:
    sentence = said("status", "--stack-name", "mine", "--region", "eu-west-1").usage_error()
    assert sentence == "AWS finds no usable credentials here: sign in, or give --profile."


def test_an_unknown_profile(said: Sluice) -> None:
    assert "(nobody) could not be found" in said("status", "--stack-name", "mine", "--profile", "nobody").usage_error()


def test_an_unknown_stack(sluice: Sluice) -> None:
    sentence = sluice("status", "--stack-name", "nope").usage_error()
    assert sentence == "There is no stack nope in us-east-1; see --stack-name and --region."


def test_a_stack_that_is_none_of_ours(sluice: Sluice, miniature: StubStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.aws.Stack.outputs", {"Other": "1"})
    assert f"The stack {STACK_NAME} has no output HealthCheckFunctionName" in sluice("status").usage_error()


def test_aws_that_cannot_be_reached_is_no_mistake(sluice: Sluice, surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    surroundings.setenv("AWS_MAX_ATTEMPTS", "1")
    surroundings.setattr("ops.aws.CLIENT_CONFIG", None)
    assert sluice("status").operation_error() == (
        'AWS could not be asked: Could not connect to the endpoint URL: "http://127.0.0.1:9/"; '
        "see the network, --region and $AWS_ENDPOINT_URL."
    )


def test_an_answer_that_is_not_of_aws_is_told(sluice: Sluice, surroundings: pytest.MonkeyPatch) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Please sign in")

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        surroundings.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        sentence = sluice("status").operation_error()
        server.shutdown()
    assert sentence.startswith("AWS could not be asked: Unable to parse response")


@pytest.mark.parametrize(
    ("words", "variables", "part"),
    [
        (["--region", "no region"], {}, "'no region' doesn't match a supported format; see --region"),
        ([], {"AWS_ENDPOINT_URL": "nonsense"}, "Invalid endpoint: nonsense; see --region and $AWS_ENDPOINT_URL"),
        ([], {"AWS_CONFIG_FILE": "/etc/hostname"}, "Unable to parse config file: /etc/hostname; see --profile"),
    ],
)
def test_settings_that_cannot_be_used(
    sluice: Sluice, surroundings: pytest.MonkeyPatch, words: list[str], variables: dict[str, str], part: str
) -> None:
    for name, value in variables.items():
        surroundings.setenv(name, value)
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
def test_every_way_to_have_no_credentials(error: Any) -> None:
    assert explain_aws_error(error) == ("AWS finds no usable credentials here: sign in, or give --profile.", True)


@pytest.mark.parametrize(
    ("code", "mistaken", "part"),
    [
        ("ExpiredToken", True, "does not accept these credentials (ExpiredToken)"),
        ("UnrecognizedClientException", True, "does not accept these credentials"),
        ("AccessDeniedException", True, "may not do StartExecution"),
        ("ThrottlingException", False, "refused StartExecution with ThrottlingException: slow down."),
    ],
)
def test_what_aws_refuses(code: str, mistaken: bool, part: str) -> None:
    sentence, mine = explain_aws_error(ClientError({"Error": {"Code": code, "Message": "slow down"}}, "StartExecution"))
    assert mine is mistaken
    assert part in sentence
