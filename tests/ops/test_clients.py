"""Clients and their keys."""

import pytest

from tests.emulator.harness import Emulator, deploy_stack
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import STACK_NAME, StubStack


@pytest.fixture
def nobody(sluice: Sluice, miniature: StubStack) -> Sluice:
    """The command, and no client has a key."""
    for one in sluice("clients", "list", "--json").document:
        sluice("clients", "remove", one["name"], "--yes", STACK_NAME)
    return sluice


def test_a_client_gets_a_key_that_is_shown_once(nobody: Sluice, miniature: StubStack, emulator: Emulator) -> None:
    assert nobody("clients", "list").stdout == "no client has a key\n"
    added = nobody("clients", "add", "Ground control", "--json").document
    gateway = emulator.client("apigateway")
    key = gateway.get_api_key(apiKey=added["id"], includeValue=True)
    assert (key["name"], key["enabled"], key["value"]) == ("Ground control", True, added["key"])
    plan = miniature.outputs["ClientPlanId"]
    assert [one["id"] for one in gateway.get_usage_plan_keys(usagePlanId=plan)["items"]] == [added["id"]]
    shown = nobody("clients", "list")
    assert added["id"] in shown.stdout
    assert added["key"] not in shown.stdout + nobody("clients", "list", "--json").stdout


def test_the_header_is_shown_as_it_is_sent(nobody: Sluice, emulator: Emulator) -> None:
    said = nobody("clients", "add", "kiosk")
    [key] = [
        one for one in emulator.client("apigateway").get_api_keys(includeValues=True)["items"] if one["name"] == "kiosk"
    ]
    assert f"x-api-key: {key['value']}\n" in said.stdout


def test_a_client_is_blocked_and_unblocked(nobody: Sluice, emulator: Emulator) -> None:
    added = nobody("clients", "add", "kiosk", "--json").document

    def blocked() -> tuple[bool, bool]:
        [listed] = nobody("clients", "list", "--json").document
        return listed["blocked"], emulator.client("apigateway").get_api_key(apiKey=added["id"])["enabled"]

    assert nobody("clients", "block", "kiosk").stdout == "blocked kiosk\n"
    assert blocked() == (True, False)
    assert nobody("clients", "list").stdout.rstrip().endswith("blocked")
    assert nobody("clients", "unblock", "kiosk").stdout == "unblocked kiosk\n"
    assert blocked() == (False, True)


def test_a_client_is_removed_once_that_is_confirmed(nobody: Sluice, miniature: StubStack, emulator: Emulator) -> None:
    added = nobody("clients", "add", "kiosk", "--json").document
    assert "--yes miniature" in nobody("clients", "remove", "kiosk").usage_error()
    assert nobody("clients", "remove", "kiosk", "--yes", STACK_NAME).stdout == "removed kiosk\n"
    gateway = emulator.client("apigateway")
    assert gateway.get_usage_plan_keys(usagePlanId=miniature.outputs["ClientPlanId"])["items"] == []
    assert added["id"] not in [one["id"] for one in gateway.get_api_keys()["items"]]


@pytest.mark.parametrize("name", ["", "-x", "x" * 65, "a\nb", "ä"])
def test_a_name_that_is_none(nobody: Sluice, name: str) -> None:
    assert "letters" in nobody("clients", "add", "--", name).usage_error()


def test_two_clients_have_two_names_and_an_unknown_one_is_a_mistake(nobody: Sluice) -> None:
    nobody("clients", "add", "kiosk")
    assert "already" in nobody("clients", "add", "kiosk").usage_error()
    assert "no client desk" in nobody("clients", "block", "desk").usage_error()


def test_a_stack_without_a_plan_has_no_clients(sluice: Sluice, said: Sluice, emulator: Emulator) -> None:
    deploy_stack(emulator, "keyless", {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    assert "deploy it with a ClientRate" in said("--stack-name", "keyless", "clients", "list").usage_error()
