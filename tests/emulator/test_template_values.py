"""Values that CloudFormation computes: pseudo parameters in conditions, generated secrets."""

import json
import string
from typing import Any

from testkit.emulator_harness import Emulator, deploy_stack


def _build_log_group(name: str, condition: str) -> dict[str, Any]:
    return {"Type": "AWS::Logs::LogGroup", "Condition": condition, "Properties": {"LogGroupName": name}}


def test_a_condition_compares_the_value_of_a_pseudo_parameter(emulator: Emulator) -> None:
    template = {
        "Conditions": {
            "Main": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
            "Elsewhere": {"Fn::Not": [{"Condition": "Main"}]},
            "Ours": {"Fn::Equals": [{"Ref": "AWS::AccountId"}, "000000000000"]},
        },
        "Resources": {
            "InMain": _build_log_group("/condition/main", "Main"),
            "Else": _build_log_group("/condition/elsewhere", "Elsewhere"),
            "Our": _build_log_group("/condition/ours", "Ours"),
        },
    }
    deploy_stack(emulator, "conditional", template)
    groups = emulator.client("logs").describe_log_groups(logGroupNamePrefix="/condition/")["logGroups"]
    assert {group["logGroupName"] for group in groups} == {"/condition/main", "/condition/ours"}


def test_a_generated_secret_contains_no_excluded_character(emulator: Emulator) -> None:
    plain = {"PasswordLength": 200, "ExcludePunctuation": True, "ExcludeCharacters": "abc"}
    keyed = {"SecretStringTemplate": '{"username":"u"}', "GenerateStringKey": "password", "ExcludePunctuation": "true"}
    resources = {
        name: {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name, "GenerateSecretString": settings}}
        for name, settings in {"plain": plain, "keyed": keyed}.items()
    }
    deploy_stack(emulator, "secretive", {"Resources": resources})
    secrets = emulator.client("secretsmanager")
    text = secrets.get_secret_value(SecretId="plain")["SecretString"]
    assert len(text) == 200
    assert set(text) <= set(string.ascii_letters + string.digits) - set("abc")
    value = json.loads(secrets.get_secret_value(SecretId="keyed")["SecretString"])
    assert value["username"] == "u"
    assert len(value["password"]) == 32
    assert value["password"].isalnum()
