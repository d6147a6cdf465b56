"""Functions: those that reach the database have a limit, and those that accept writes cannot reach it."""

from typing import Any

from tests.template.rules.reading import Properties, actions, as_list, of_type, role_statements
from tests.template.rules.rule import Rule, RuleMatch, Template

_PUTS = {"firehose:PutRecord", "firehose:PutRecordBatch"}
# It puts records without a write, one at a time, and reads what the heartbeat saw.
_STATUS_FUNCTION, _STATUS_ACTIONS = "StatusFunction", {"firehose:PutRecord", "s3:GetObject"}

_DATABASE_VARIABLES = {"DATABASE_HOST", "READ_ENDPOINTS"}


def _variables(function: Properties) -> dict[str, Any]:
    return dict(function.get("Environment", {}).get("Variables", {}))


class DatabaseConcurrency(Rule):
    """Reserved concurrency limits the connections of a function to the database."""

    id = "E9101"
    shortdesc = "Functions that reach the database have reserved concurrency"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(
                ["Resources", name, "Properties"],
                f"{name} reaches the database and has no ReservedConcurrentExecutions",
            )
            for name, function in of_type(cfn, "AWS::Lambda::Function")
            if (_DATABASE_VARIABLES & _variables(function).keys() or "VpcConfig" in function)
            and not function.get("ReservedConcurrentExecutions")
        ]


class WritesIsolated(Rule):
    """A function that accepts writes can only put records on the stream."""

    id = "E9102"
    shortdesc = "Functions that accept writes have access only to the stream"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name, "Properties"], f"{name} accepts writes, but {fault}")
            for name, function in of_type(cfn, "AWS::Lambda::Function")
            if "STREAM_NAME" in _variables(function) or actions(role_statements(cfn, function)) & _PUTS
            for fault in self._faults(cfn, function, _STATUS_ACTIONS if name == _STATUS_FUNCTION else _PUTS)
        ]

    def _faults(self, cfn: Template, function: Properties, expected: set[str]) -> list[str]:
        faults = []
        if "VpcConfig" in function:
            faults.append("is in a VPC")
        if settings := sorted(name for name in _variables(function) if name.startswith("DATABASE") or "SECRET" in name):
            faults.append(f"has settings of the database ({', '.join(settings)})")
        allowed = role_statements(cfn, function)
        if excess := sorted(actions(allowed) - expected):
            faults.append(f"has more permissions than to put records on the stream ({', '.join(excess)})")
        if missing := sorted(expected - actions(allowed)):
            faults.append(f"lacks the permission {', '.join(missing)}")
        streams = {
            str(resource)
            for statement in allowed
            if actions([statement]) & _PUTS
            for resource in as_list(statement["Resource"])
        }
        if len(streams) > 1 or any("*" in stream for stream in streams):
            faults.append("can put on more than one stream")
        return faults


class FunctionLogs(Rule):
    """A log group that Lambda creates itself has no retention."""

    id = "E9103"
    shortdesc = "Functions log to a log group of the template"

    def match(self, cfn: Template) -> list[RuleMatch]:
        groups = dict(of_type(cfn, "AWS::Logs::LogGroup"))
        return [
            RuleMatch(
                ["Resources", name, "Properties"], f"{name} has no LoggingConfig with a LogGroup of this template"
            )
            for name, function in of_type(cfn, "AWS::Lambda::Function")
            if function.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref") not in groups
        ]
