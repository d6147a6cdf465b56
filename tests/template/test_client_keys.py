"""Which routes ask for a client's key, in both settings of ClientKeys."""

import re
from typing import Any

import pytest

from testkit.translate import REPOSITORY, Template, translate
from tests.template.check import check_with_rules
from tests.template.rules.reading import entries

OPEN = ("/v1/openapi.json", "/v1/docs", "/v1/status")


def translated(template: Template, keys: str) -> Template:
    template["Parameters"]["ClientKeys"]["Default"] = keys
    return translate(template, REPOSITORY)


def wanting(translated: Template) -> dict[str, bool]:
    """Whether a route asks for a key, by method and path."""
    paths = translated["Resources"]["Api"]["Properties"]["Body"]["paths"]
    return {
        f"{method} {path}": any("api_key" in requirement for requirement in operation.get("security", []))
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_no_route_asks_for_a_key_unless_keys_are_required(template: Template) -> None:
    translated_template = translated(template, "")
    assert set(wanting(translated_template).values()) == {False}
    assert "api_key" not in translated_template["Resources"]["Api"]["Properties"]["Body"]["securityDefinitions"]


def test_every_route_asks_for_one_where_keys_are_required(template: Template) -> None:
    translated_template = translated(template, "required")
    assert set(wanting(translated_template).values()) == {True}
    definition = translated_template["Resources"]["Api"]["Properties"]["Body"]["securityDefinitions"]["api_key"]
    assert definition == {"type": "apiKey", "name": "x-api-key", "in": "header"}
    # cfn-lint knows no schema of the API's definition, which is all that differs, and `make check` runs it on the rest.
    assert list(check_with_rules(translated_template)) == []


def test_the_setting_makes_another_deployment(template: Template) -> None:
    deployments = [
        {name for name in translated(template, keys)["Resources"] if name.startswith("ApiDeployment")}
        for keys in ("", "required", "")
    ]
    assert deployments[0] != deployments[1]
    assert deployments[0] == deployments[2]


def test_cloudfront_brings_the_key_of_what_everybody_may_read_and_of_nothing_else(template: Template) -> None:
    configuration = template["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    origins = {origin["Id"]: origin for origin in entries(configuration["Origins"])}
    brings = {name for name, origin in origins.items() if "x-api-key" in _sent(origin)}
    assert brings == {"open"}
    # The two differ in nothing else.
    assert {**origins["open"], "Id": "", "OriginCustomHeaders": ""} == {
        **origins["api"],
        "Id": "",
        "OriginCustomHeaders": "",
    }
    assert {**_sent(origins["open"]), "x-api-key": None} == {**_sent(origins["api"]), "x-api-key": None}
    behaviours = [*entries(configuration["CacheBehaviors"]), configuration["DefaultCacheBehavior"]]
    to_open = [behaviour.get("PathPattern") for behaviour in behaviours if behaviour["TargetOriginId"] in brings]
    assert sorted(to_open) == sorted(OPEN)
    # The first pattern that fits decides.
    patterns = [re.compile(behaviour.get("PathPattern", "*").replace("*", ".*")) for behaviour in behaviours]
    for path in OPEN:
        first = next(number for number, pattern in enumerate(patterns) if pattern.fullmatch(path))
        assert behaviours[first]["PathPattern"] == path


def _sent(origin: dict[str, Any]) -> dict[str, Any]:
    return {header["HeaderName"]: header["HeaderValue"] for header in origin["OriginCustomHeaders"]}


@pytest.mark.parametrize("name", ["ClientPlan", "OpenPlan", "OpenKey", "OpenKeyInPlan", "OpenKeySecret"])
def test_nothing_of_it_is_made_without_a_rate(template: Template, name: str) -> None:
    assert template["Resources"][name]["Condition"] == "ClientsHavePlan"
    assert template["Conditions"]["ClientsHavePlan"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ClientRate"}, 0]}]}
    assert template["Parameters"]["ClientRate"]["Default"] == 0


def test_keys_are_not_required_without_a_plan(template: Template) -> None:
    rule = template["Rules"]["KeysInPlan"]
    assert rule["RuleCondition"] == template["Conditions"]["KeysRequired"]
    assert [assertion["Assert"] for assertion in rule["Assertions"]] == [template["Conditions"]["ClientsHavePlan"]]
