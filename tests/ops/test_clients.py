"""Clients and their keys."""

import pytest

from testkit.emulator_harness import Emulator, deploy_stack
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import STACK_NAME, StubStack


@pytest.fixture
def no_clients(sluice: Sluice, stub_stack: StubStack) -> Sluice:
    """The command on a stack without clients."""
    for client in sluice("clients", "list", "--json").document:
        sluice("clients", "remove", client["name"], "--yes", STACK_NAME)
    return sluice


def test_the_key_of_a_client_is_printed_once(no_clients: Sluice, stub_stack: StubStack, emulator: Emulator) -> None:
    assert no_clients("clients", "list").stdout == "there are no clients\n"
    added = no_clients("clients", "add", "Ground control", "--json").document
    gateway = emulator.client("apigateway")
    key = gateway.get_api_key(apiKey=added["id"], includeValue=True)
    assert (key["name"], key["enabled"], key["value"]) == ("Ground control", True, added["key"])
    plan = stub_stack.outputs["ClientPlanId"]
    assert [key["id"] for key in gateway.get_usage_plan_keys(usagePlanId=plan)["items"]] == [added["id"]]
    shown = no_clients("clients", "list")
    assert added["id"] in shown.stdout
    assert added["key"] not in shown.stdout + no_clients("clients", "list", "--json").stdout


def test_the_header_is_printed_as_clients_send_it(no_clients: Sluice, emulator: Emulator) -> None:
    output = no_clients("clients", "add", "kiosk")
    keys = emulator.client("apigateway").get_api_keys(includeValues=True)["items"]
    [key] = [key for key in keys if key["name"] == "kiosk"]
    assert f"x-api-key: {key['value']}\n" in output.stdout


def test_a_client_is_blocked_and_unblocked(no_clients: Sluice, emulator: Emulator) -> None:
    added = no_clients("clients", "add", "kiosk", "--json").document

    def blocked() -> tuple[bool, bool]:
        [listed] = no_clients("clients", "list", "--json").document
        return listed["blocked"], emulator.client("apigateway").get_api_key(apiKey=added["id"])["enabled"]

    assert no_clients("clients", "block", "kiosk").stdout == "blocked kiosk\n"
    assert blocked() == (True, False)
    assert no_clients("clients", "list").stdout.rstrip().endswith("blocked")
    assert no_clients("clients", "unblock", "kiosk").stdout == "unblocked kiosk\n"
    assert blocked() == (False, True)


def test_a_client_is_removed_after_a_confirmation(
    no_clients: Sluice, stub_stack: StubStack, emulator: Emulator
) -> None:
    added = no_clients("clients", "add", "kiosk", "--json").document
    assert f"--yes {STACK_NAME}" in no_clients("clients", "remove", "kiosk").usage_error()
    assert no_clients("clients", "remove", "kiosk", "--yes", STACK_NAME).stdout == "removed kiosk\n"
    gateway = emulator.client("apigateway")
    assert gateway.get_usage_plan_keys(usagePlanId=stub_stack.outputs["ClientPlanId"])["items"] == []
    assert added["id"] not in [key["id"] for key in gateway.get_api_keys()["items"]]


@pytest.mark.parametrize("name", ["", "-x", "x" * 65, "a\nb", "ä"])
def test_an_invalid_name_is_a_usage_error(no_clients: Sluice, name: str) -> None:
    assert "letters" in no_clients("clients", "add", "--", name).usage_error()


def test_an_existing_name_and_an_unknown_client_are_usage_errors(no_clients: Sluice) -> None:
    no_clients("clients", "add", "kiosk")
    assert "exists already" in no_clients("clients", "add", "kiosk").usage_error()
    assert "no client desk" in no_clients("clients", "block", "desk").usage_error()


def test_a_stack_without_a_plan_has_no_clients(sluice: Sluice, bare_sluice: Sluice, emulator: Emulator) -> None:
    deploy_stack(emulator, "keyless", {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    assert "Deploy it with a ClientRate" in bare_sluice("--stack-name", "keyless", "clients", "list").usage_error()
