"""`sluice deploy`: build the template and deploy it, outside us-east-1 with the stack of its web ACL in us-east-1.

The web ACL comes first, because the distribution names it. The access log comes last, because it names the
distribution. CloudFormation cannot roll back the creation of what is protected against deletion, so a new stack is
protected after it was created (ADR-0104).
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import REPOSITORY, Stack, Target
from ops.errors import OperationError, UsageError
from ops.failures.explanation import FailedStack, explain_build, explain_deploy
from ops.failures.sam_output import was_declined
from ops.free_text import add_free_text
from ops.output import CommandResult, print_error
from ops.sam import run_sam
from ops.samconfig import (
    SAMCONFIG_PATH,
    Deployment,
    add_deployment_arguments,
    choose_deployment_target,
    read_deployment,
)
from ops.template import read_template

SUMMARY = "build and deploy, with the web ACL that only us-east-1 can have"

EDGE_REGION = "us-east-1"
EDGE_TEMPLATE = "edge.yaml"
# The folder with template.yaml, edge.yaml and samconfig.toml.
PROJECT = REPOSITORY
LOG = ".aws-sam/deploy.log"
_PROTECTION = "DeletionProtection"


@dataclass(frozen=True)
class _Plan:
    """A deployment, the arguments that every `sam deploy` of it gets, and the session for it."""

    deployment: Deployment
    target: Target
    common_arguments: tuple[str, ...]

    @property
    def edge_stack_name(self) -> str:
        """The name has the Region, because all Regions share us-east-1."""
        return f"{self.target.name}-{self.target.region}-edge"

    def read_outputs(self, stack_name: str, region: str) -> dict[str, str] | None:
        """The outputs of a stack; None when there is none."""
        try:
            [stack] = self.target.session.client("cloudformation", region_name=region).describe_stacks(
                StackName=stack_name
            )["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_deployment_arguments(parser)
    parser.add_argument("--no-build", action="store_true", help="deploy what `sam build` or `make build` built before")
    parser.add_argument(
        "sam_options", metavar="-- OPTION", nargs="*", help="options that each `sam deploy` gets, after two hyphens"
    )


def choose_stack(arguments: argparse.Namespace) -> Stack:
    """The stack that the environment of samconfig.toml names. Raises UsageError for the local stack."""
    arguments.deployment = read_deployment(arguments, PROJECT / SAMCONFIG_PATH.name)
    arguments.target = choose_deployment_target(arguments.deployment, arguments.profile)
    if arguments.target.local:
        raise UsageError("The local stack is deployed by `make up`.", "Give --config-env or --stack-name for another.")
    return Stack(arguments.target)


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Build and deploy. Raises UsageError, and OperationError when a step fails."""
    written: Deployment = arguments.deployment
    deployment = replace(written, parameters=add_free_text(written.parameters, PROJECT / "src" / "resources"))
    environment = ("--config-env", deployment.environment)
    profile = ("--profile", arguments.profile) if arguments.profile else ()
    plan = _Plan(deployment, arguments.target, (*environment, *profile, *arguments.sam_options))
    (PROJECT / LOG).unlink(missing_ok=True)
    if not arguments.no_build:
        _run_sam(["build", *environment], explain_build)
    edge = _deploy_edge_acl(plan) if _needs_edge_stack(plan) else None
    parameters = {**deployment.parameters, **({"EdgeAclArn": edge["EdgeAclArn"]} if edge else {})}
    if parameters.get(_PROTECTION) == "true" and not plan.read_outputs(stack.name, stack.region):
        _deploy_stack(plan, stack.name, stack.region, {**parameters, _PROTECTION: "false"})
    _deploy_stack(plan, stack.name, stack.region, parameters)
    outputs = plan.read_outputs(stack.name, stack.region) or {}
    if edge and "EdgeLogGroupName" not in edge:
        edge = _deploy_edge(plan, outputs["DistributionId"])
    return _build_result(plan, outputs, edge)


def _needs_edge_stack(plan: _Plan) -> bool:
    if plan.target.region == EDGE_REGION or plan.deployment.parameters.get("EdgeAclArn"):
        return False
    # A stack with a web ACL of another origin keeps it, as it would with `sam deploy`.
    deployed = plan.read_outputs(plan.target.name, plan.target.region) or {}
    return not deployed.get("EdgeAclArn") or plan.read_outputs(plan.edge_stack_name, EDGE_REGION) is not None


def _deploy_edge_acl(plan: _Plan) -> dict[str, str]:
    """Deploy the web ACL, with the access log if the distribution exists already. Returns the outputs."""
    outputs = plan.read_outputs(plan.target.name, plan.target.region) or {}
    return _deploy_edge(plan, outputs.get("DistributionId", ""))


def _deploy_edge(plan: _Plan, distribution: str) -> dict[str, str]:
    declared = read_template(PROJECT / EDGE_TEMPLATE)["Parameters"]
    parameters = {name: value for name, value in plan.deployment.parameters.items() if name in declared}
    template = ("--template-file", EDGE_TEMPLATE)
    _deploy_stack(plan, plan.edge_stack_name, EDGE_REGION, {**parameters, "Distribution": distribution}, template)
    return plan.read_outputs(plan.edge_stack_name, EDGE_REGION) or {}


def _deploy_stack(
    plan: _Plan, name: str, region: str, parameters: dict[str, str], template: Sequence[str] = ()
) -> None:
    overrides = [f'{key}="{_escape(value)}"' for key, value in parameters.items()]
    words = ["deploy", *template, "--stack-name", name, "--region", region, *plan.common_arguments]
    if overrides:
        words += ["--parameter-overrides", *overrides]
    cloudformation = plan.target.session.client("cloudformation", region_name=region)
    output = _run_sam(words, lambda output: explain_deploy(FailedStack(cloudformation, name, region), output))
    if was_declined(output):
        raise OperationError(
            f"The change set of {name} was declined, so it was not deployed.",
            "Answer y to deploy it, or give `-- --no-confirm-changeset`.",
        )


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _run_sam(words: Sequence[str], explain: Callable[[str], str]) -> str:
    """Run the SAM CLI; returns its output. Raises OperationError with the sentence that `explain` finds for it."""
    result = run_sam(words, PROJECT, PROJECT / LOG)
    if result.exit_code:
        print_error(f"log: {LOG}")
        raise OperationError(explain(result.output))
    return result.output


def _build_result(plan: _Plan, outputs: dict[str, str], edge: dict[str, str] | None) -> CommandResult:
    name, region = plan.target.name, plan.target.region
    document: dict[str, Any] = {"stack": name, "region": region, "url": outputs.get("Url"), "edge_stack": None}
    lines = [f"deployed {name} in {region}"]
    if edge is not None:
        document["edge_stack"] = plan.edge_stack_name
        lines.append(f"deployed its web ACL and access log as {plan.edge_stack_name} in {EDGE_REGION}")
    if outputs.get("Url"):
        lines.append(f"the service is at {outputs['Url']}")
    return CommandResult(document, lines)
