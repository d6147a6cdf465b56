"""The migration: it runs again when its database changes, and CloudFormation waits for its response."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from sluice.settings import MigrateSettings
from tests.template.rules.reading import Properties, names, of_type
from tests.template.rules.rule import Rule, RuleMatch, Template

MIGRATION = "Custom::Migration"


def _find_migrations(cfn: Template) -> Iterator[tuple[str, Properties, Properties]]:
    """Name and properties of each migration, and the properties of its function."""
    functions = dict(of_type(cfn, "AWS::Lambda::Function"))
    for name, migration in of_type(cfn, MIGRATION):
        for function, properties in functions.items():
            if names(migration.get("ServiceToken"), function):
                yield name, migration, properties


class MigrationTriggers(Rule):
    """CloudFormation calls a custom resource only when one of its properties changes.

    An endpoint can stay the same while the instance behind it changes, so the resource id of the instance counts too.
    """

    id = "E9150"
    shortdesc = "The migration has every setting that says which database it is as a property"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name, "Properties"], f"{name} does not run when {setting} changes")
            for name, migration, function in _find_migrations(cfn)
            for setting in self._find_missing(cfn, migration, function)
        ]

    def _find_missing(self, cfn: Template, migration: Properties, function: Properties) -> Iterator[str]:
        properties = [json.dumps(value, sort_keys=True) for value in migration.values()]
        variables: dict[str, Any] = function["Environment"]["Variables"]
        for field in msgspec.structs.fields(MigrateSettings):
            value = variables.get(field.encode_name)
            if value is not None and json.dumps(value, sort_keys=True) not in properties:
                yield field.encode_name
        for instance, _ in of_type(cfn, "AWS::RDS::DBInstance"):
            resource_id = json.dumps({"Fn::GetAtt": [instance, "DbiResourceId"]})
            if names(variables["DATABASE_HOST"], instance) and not any(resource_id in text for text in properties):
                yield f"the instance {instance}"


class MigrationTimeouts(Rule):
    """The function responds before its timeout. Its queue takes time too: a migration by hand can run before it."""

    id = "E9151"
    shortdesc = "CloudFormation waits for the migration at least twice as long as its function may run"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(
                ["Resources", name, "Properties", "ServiceTimeout"],
                f"{name} has a ServiceTimeout below twice the timeout of its function",
            )
            for name, migration, function in _find_migrations(cfn)
            if int(migration.get("ServiceTimeout", 3600)) < 2 * int(function["Timeout"])
        ]


class VersionPerInstance(Rule):
    """RDS upgrades replicas before their primary, and both need a parameter group of the family of their version."""

    id = "E9152"
    shortdesc = "Primary and replicas have versions of their own and parameter groups of these versions' families"

    def match(self, cfn: Template) -> list[RuleMatch]:
        instances = dict(of_type(cfn, "AWS::RDS::DBInstance"))
        return [
            RuleMatch(["Resources", name, "Properties"], f"{name} {fault}")
            for name, instance in instances.items()
            for fault in self._find_faults(cfn, name, instances)
        ]

    def _find_faults(self, cfn: Template, name: str, instances: dict[str, Properties]) -> Iterator[str]:
        instance = instances[name]
        # The replicas share a version and a parameter group.
        others = [other for other in instances.values() if _is_replica(other) != _is_replica(instance)]
        if not instance.get("AllowMajorVersionUpgrade"):
            yield "has no AllowMajorVersionUpgrade"
        version = _find_parameters(instance.get("EngineVersion"))
        if not version or any(version == _find_parameters(other.get("EngineVersion")) for other in others):
            yield "has no EngineVersion from a parameter of its own"
        group = instance.get("DBParameterGroupName")
        if any(group == other.get("DBParameterGroupName") for other in others):
            yield "shares its parameter group"
        families = [
            group["Family"]
            for name, group in of_type(cfn, "AWS::RDS::DBParameterGroup")
            if names(instance["DBParameterGroupName"], name)
        ]
        if not all(version <= _find_parameters(family) for family in families):
            yield "has a parameter group whose family does not follow its version"


def _is_replica(instance: Properties) -> bool:
    return "SourceDBInstanceIdentifier" in instance


def _find_parameters(value: Any) -> set[str]:
    """The names of all Refs except pseudo parameters."""
    if isinstance(value, dict):
        if set(value) == {"Ref"}:
            return set() if value["Ref"].startswith("AWS::") else {value["Ref"]}
        return set().union(*(_find_parameters(part) for part in value.values()))
    if isinstance(value, list):
        return set().union(*(_find_parameters(part) for part in value))
    return set()
