"""A stack has as many replicas as its parameter says, and a change of the number replaces nothing."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from ops.template import ResolvedTemplate, read_template
from sluice.settings import NO_ENDPOINTS, parse_endpoints

TEMPLATE = read_template()
REPLICAS = ("Replica", "Replica2", "Replica3", "Replica4", "Replica5")
EXISTING = {"ProvisionDatabase": "false", "PrimaryEndpoint": "primary.example.com", "DatabaseAdminSecretArn": "arn"}
PROVEN = {**EXISTING, "BackupProof": "weekly", "PrimaryInstance": "orders"}


def resolve(**parameters: str) -> ResolvedTemplate:
    return ResolvedTemplate(TEMPLATE, parameters, "sluice", "eu-west-1")


def substitute(value: Any) -> str:
    """The text of Fn::Sub, with the values of its own variables in it, and references as they are."""
    if isinstance(value, str):
        return value
    match value["Fn::Sub"]:
        case [str(text), dict(values)]:
            for name, inner in values.items():
                text = text.replace(f"${{{name}}}", substitute(inner))
            return text
        case text:
            return str(text)


def read_variable(template: ResolvedTemplate, function: str, name: str) -> str:
    variables = template.resources[function]["Properties"]["Environment"]["Variables"]
    # A reference such as ${Replica.Endpoint.Port} stands for a host or a port.
    text = re.sub(r"\$\{(\w+)\.Endpoint\.Address\}", r"\1", substitute(variables[name]))
    return re.sub(r"\$\{(\w+)\.Endpoint\.Port\}", "3306", text)


def list_references(node: Any) -> Iterator[str]:
    """The logical ids and parameters that a part of the template refers to."""
    match node:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [str(name), *_]} | {"Fn::GetAtt": str(name)}:
            yield name.split(".")[0]
        case {"Fn::Sub": [str(text), dict(values)]}:
            yield from (name for name in list_references(text) if name not in values)
            yield from list_references(list(values.values()))
        case str():  # the template's reader writes the text itself for Fn::Sub
            yield from (name.split(".")[0] for name in re.findall(r"\$\{([\w.:]+)\}", node))
        case dict():
            for value in node.values():
                yield from list_references(value)
        case list():
            for value in node:
                yield from list_references(value)


@pytest.mark.parametrize("count", range(6))
def test_reads_go_to_every_replica_or_to_the_primary(count: int) -> None:
    template = resolve(Replicas=str(count), ReadConcurrency="40", PrimaryReadConcurrency="7")
    assert list(template.list_resources("AWS::RDS::DBInstance")) == ["Primary", *REPLICAS[:count]]
    hosts = list(REPLICAS[:count]) or ["Primary"]
    read = parse_endpoints(read_variable(template, "GetFunction", "READ_ENDPOINTS"))
    assert [(endpoint.host, endpoint.port) for endpoint in read] == [(host, 3306) for host in hosts]
    for function in ("HealthCheckFunction", "RotateFunction"):
        named = read_variable(template, function, "REPLICA_ENDPOINTS")
        assert parse_endpoints(named) == (read if count else ())
        assert (named == NO_ENDPOINTS) == (count == 0)
    concurrency = template.resources["GetFunction"]["Properties"]["ReservedConcurrentExecutions"]
    assert concurrency == ("40" if count else "7")


@pytest.mark.parametrize("endpoints", ["", "a.example.com:3306", "a.example.com:3306,b.example.com:3307"])
def test_an_existing_database_names_its_replicas_or_has_none(endpoints: str) -> None:
    template = resolve(**EXISTING, ReplicaEndpoints=endpoints, ReadConcurrency="40")
    read = read_variable(template, "GetFunction", "READ_ENDPOINTS")
    assert read == (endpoints or "primary.example.com:3306")
    assert read_variable(template, "HealthCheckFunction", "REPLICA_ENDPOINTS") == (endpoints or NO_ENDPOINTS)
    assert read_variable(resolve(**PROVEN, ReplicaEndpoints=endpoints), "ProofFunction", "READ_ENDPOINTS") == read
    concurrency = template.resources["GetFunction"]["Properties"]["ReservedConcurrentExecutions"]
    assert concurrency == ("40" if endpoints else "5")


@pytest.mark.parametrize(
    "parameters",
    [*({"Replicas": str(count), "BackupProof": "weekly"} for count in range(6)), EXISTING, PROVEN],
    ids=str,
)
def test_nothing_refers_to_a_replica_that_the_stack_lacks(parameters: dict[str, str]) -> None:
    template = resolve(**parameters)
    absent = set(TEMPLATE["Resources"]) - set(template.resources)
    assert set(REPLICAS) & absent == set(REPLICAS) - set(template.resources)
    for name, resource in template.resources.items():
        assert not absent & set(list_references(resource.get("Properties", {}))), name


@pytest.mark.parametrize("count", range(1, 6))
def test_each_replica_has_alarms_and_a_line_of_its_own(count: int) -> None:
    template = resolve(Replicas=str(count))
    kinds = ("Lag", "Storage", "Processor", "Credits", "Memory", "Connections")
    for number, replica in enumerate(REPLICAS, start=1):
        alarms = {f"{replica}{kind}Alarm" for kind in kinds}
        assert alarms & set(template.resources) == (alarms if number <= count else set())
    dashboard = template.resources["Dashboard"]["Properties"]["DashboardBody"]
    references = list(list_references(dashboard))
    for number, replica in enumerate(REPLICAS, start=1):
        # Lag, CPU, connections, free storage, free memory, credits.
        assert references.count(replica) == (6 if number <= count else 0)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (1, 0), (0, 1), (2, 5)])
def test_another_number_of_replicas_replaces_nothing(before: int, after: int) -> None:
    old, new = resolve(Replicas=str(before)).resources, resolve(Replicas=str(after)).resources
    databases = {name for name, resource in old.items() if resource["Type"] == "AWS::RDS::DBInstance"}
    changed = {name for name in old.keys() & new.keys() if old[name] != new[name]}
    assert not changed & databases
    # RestoreFunction gets other names of instances in its environment, and the rights on them in its role.
    assert changed == {
        *("GetFunction", "HealthCheckFunction", "RotateFunction", "RestoreFunction"),
        *("Migration", "Dashboard"),
    }
    for name in changed:
        kind = new[name]["Type"].replace("AWS::Serverless::", "AWS::Lambda::")
        differing = {key for key, value in new[name]["Properties"].items() if value != old[name]["Properties"].get(key)}
        if kind != "Custom::Migration":  # whose function keeps the physical id
            schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-west-1", kind).schema
            assert not {f"/properties/{key}" for key in differing} & set(schema["createOnlyProperties"])


def evaluate(node: Any, parameters: dict[str, str]) -> bool:
    """Whether an assertion of the section Rules holds."""
    ((function, value),) = node.items()
    match function:
        case "Fn::Equals":
            left, right = (parameters[part["Ref"]] if isinstance(part, dict) else str(part) for part in value)
            return left == right
        case "Fn::Not":
            return not evaluate(value[0], parameters)
        case "Fn::And":
            return all(evaluate(part, parameters) for part in value)
        case "Fn::Or":
            return any(evaluate(part, parameters) for part in value)
        case "Fn::Contains":
            return parameters[value[1]["Ref"]] in value[0]
    raise ValueError(function)


def list_refusals(**changes: str) -> list[str]:
    """What the rules of the template say about these parameters."""
    parameters = {**resolve(**changes).parameters, "AWS::Region": "us-east-1"}
    return [
        " ".join(assertion["AssertDescription"].split())
        for rule in TEMPLATE["Rules"].values()
        if "RuleCondition" not in rule or evaluate(rule["RuleCondition"], parameters)
        for assertion in rule["Assertions"]
        if not evaluate(assertion["Assert"], parameters)
    ]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({**EXISTING, "Replicas": "3"}, "name the existing ones in ReplicaEndpoints"),
        ({"Replicas": "2", "ReplicaEndpoints": "a:3306"}, "ReplicaEndpoints, DatabaseAdminSecretArn"),
        ({"Replicas": "0", "ReplicaVersion": "11.4"}, "with Replicas=0 leave it empty"),
        ({**EXISTING, "BackupProof": "weekly"}, "PrimaryInstance must name the RDS instance of the primary"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused_with_one_sentence(
    parameters: dict[str, str], words: str
) -> None:
    [refusal] = list_refusals(**parameters)
    assert words in refusal


@pytest.mark.parametrize(
    "parameters",
    [
        *({"Replicas": "0"}, {"Replicas": "5", "ReplicaVersion": "11.4"}, {"BackupProof": "weekly"}),
        *(EXISTING, {**EXISTING, "ReplicaEndpoints": "a:1"}, PROVEN),
    ],
)
def test_parameters_that_fit_are_accepted(parameters: dict[str, str]) -> None:
    assert list_refusals(**parameters) == []


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ("", True),
        ("a.example.com:3306", True),
        ("a:1,b:2,c:3,d:4,e:5", True),
        ("a:1,b:2,c:3,d:4,e:5,f:6", False),
        ("a.example.com", False),
        ("a:1, b:2", False),
        ("a:1,", False),
    ],
)
def test_endpoints_have_the_form_that_the_functions_parse(text: str, is_valid: bool) -> None:
    pattern = TEMPLATE["Parameters"]["ReplicaEndpoints"]["AllowedPattern"]
    assert (re.search(pattern, text) is not None) == is_valid
    if text and is_valid:
        assert parse_endpoints(text)
