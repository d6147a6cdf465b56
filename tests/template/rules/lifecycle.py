"""The life of a stack: a creation that fails leaves nothing behind and fails early, and a deletion ends."""

from collections.abc import Iterator

import networkx  # type: ignore[import-untyped]

from tests.template.rules.reading import Properties, as_list, names, of_type, statements
from tests.template.rules.rule import Rule, RuleMatch, Template

# Deleted with its function, whatever the policy that SAM writes.
_NEVER_ALONE = "AWS::Lambda::Version"
_PROTECTED = ("AWS::RDS::DBInstance", "AWS::Cognito::UserPool")


def _list_dependencies(cfn: Template, resource: str) -> set[str]:
    """The resources that CloudFormation creates before this one."""
    earlier: set[str] = networkx.descendants(cfn.graph.graph, resource)
    return earlier


class FailedCreationDeleted(Rule):
    """`Retain` keeps also what a failed creation made: a bucket, a pool, a stream that no stack has."""

    id = "E9140"
    shortdesc = "A failed creation keeps no resource"

    def match(self, cfn: Template) -> list[RuleMatch]:
        shared = set(self._list_account_settings(cfn))
        return [
            RuleMatch(
                ["Resources", name], f"{name} stays when its creation is rolled back; RetainExceptOnCreate deletes it"
            )
            for name, resource in cfn.get_resources().items()
            if resource.get("DeletionPolicy") == "Retain" and resource["Type"] != _NEVER_ALONE and name not in shared
        ]

    def _list_account_settings(self, cfn: Template) -> Iterator[str]:
        """API Gateway's settings of the account, and the role in them: other stacks use them."""
        for name, account in of_type(cfn, "AWS::ApiGateway::Account"):
            yield name
            yield from (role for role, _ in of_type(cfn, "AWS::IAM::Role") if names(account, role))


class CreatedUnprotected(Rule):
    """CloudFormation's handlers do not turn protection off: a protected resource makes the rollback fail."""

    id = "E9141"
    shortdesc = "Protection against deletion is off during the first creation"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name} {fault}")
            for kind in _PROTECTED
            for name, properties in of_type(cfn, kind)
            if "SourceDBInstanceIdentifier" not in properties
            for fault in self._list_faults(cfn, properties.get("DeletionProtection"))
        ]

    def _list_faults(self, cfn: Template, value: object) -> Iterator[str]:
        switches = {"Ref": "DeletionProtection"}, {"Fn::If": ["Protected", "ACTIVE", "INACTIVE"]}
        if value not in switches:
            yield "does not take its protection from the parameter DeletionProtection"
        elif cfn.template["Parameters"]["DeletionProtection"].get("Default") != "false":
            yield "is protected during the first creation, which then cannot be rolled back"


class RefusedBeforeDatabase(Rule):
    """An account without enough concurrency refuses a function. That should not cost the time of a database."""

    id = "E9142"
    shortdesc = "Functions that reserve concurrency and need no database exist before it"

    def match(self, cfn: Template) -> list[RuleMatch]:
        reserving = [name for name, properties in of_type(cfn, "AWS::Lambda::Function") if _reserves(properties)]
        return [
            RuleMatch(["Resources", database], f"{database} does not depend on {function}, which AWS can refuse")
            for database, properties in of_type(cfn, "AWS::RDS::DBInstance")
            if "SourceDBInstanceIdentifier" not in properties
            for function in reserving
            if database not in _list_dependencies(cfn, function)
            if function not in _list_dependencies(cfn, database)
        ]


def _reserves(function: Properties) -> bool:
    return "ReservedConcurrentExecutions" in function


class QuietCreation(Rule):
    """A rollback cannot delete a bucket with objects, so nothing writes to one before the creation is about to end."""

    id = "E9143"
    shortdesc = "Schedules and events of databases start nothing during the creation"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name} can start work before {distribution} exists")
            for name, rule in of_type(cfn, "AWS::Events::Rule")
            if "ScheduleExpression" in rule or "aws.rds" in rule.get("EventPattern", {}).get("source", [])
            for distribution, _ in of_type(cfn, "AWS::CloudFront::Distribution")
            if distribution not in _list_dependencies(cfn, name)
        ]


class NoLateLogGroup(Rule):
    """Lambda sends lines late, also after CloudFormation has deleted the function and its log group."""

    id = "E9144"
    shortdesc = "No function can create its log group again"

    def match(self, cfn: Template) -> list[RuleMatch]:
        denying = {name for name, policy in of_type(cfn, "AWS::IAM::ManagedPolicy") if _denies_log_groups(policy)}
        roles = dict(of_type(cfn, "AWS::IAM::Role"))
        return [
            RuleMatch(["Resources", name], f"{name} may create its log group again after the stack's deletion")
            for name, function in of_type(cfn, "AWS::Lambda::Function")
            for role, properties in roles.items()
            if names(function["Role"], role)
            and not any(names(properties.get("ManagedPolicyArns", []), policy) for policy in denying)
        ]


def _denies_log_groups(policy: Properties) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and "logs:CreateLogGroup" in as_list(statement["Action"])
        and statement["Resource"] == "*"
        for statement in statements(policy["PolicyDocument"])
    )
