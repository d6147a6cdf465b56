"""The deployment that the checks look at."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import Stack
from ops.samconfig import Deployment
from ops.template import ResolvedTemplate, read_template


@dataclass(frozen=True)
class DeploymentPlan:
    """A deployment, and the account and Region that it goes to."""

    deployment: Deployment
    stack: Stack

    @cached_property
    def description(self) -> dict[str, Any] | None:
        """CloudFormation's description of the stack; None when there is no such stack yet."""
        try:
            stacks = self.stack.client("cloudformation").describe_stacks(StackName=self.stack.name)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        # A stack in review has a change set and no resource.
        return None if stacks[0]["StackStatus"] == "REVIEW_IN_PROGRESS" else dict(stacks[0])

    @property
    def is_first(self) -> bool:
        return self.description is None

    @cached_property
    def template(self) -> ResolvedTemplate:
        """The template with the values that a deploy would use.

        `sam deploy` keeps the value of an existing stack for each parameter without an override.
        """
        template = read_template()
        deployed = {
            entry["ParameterKey"]: entry["ParameterValue"]
            for entry in (self.description or {}).get("Parameters", [])
            if entry["ParameterKey"] in template["Parameters"]
        }
        values = {**deployed, **self.deployment.parameters}
        return ResolvedTemplate(template, values, self.stack.name, self.stack.region)

    @cached_property
    def physical_ids(self) -> dict[str, str]:
        """The physical ids of the stack's resources, by logical id; empty before the first deploy."""
        if self.is_first:
            return {}
        pages = (
            self.stack.client("cloudformation")
            .get_paginator("list_stack_resources")
            .paginate(StackName=self.stack.name)
        )
        return {
            entry["LogicalResourceId"]: entry["PhysicalResourceId"]
            for page in pages
            for entry in page["StackResourceSummaries"]
            if "PhysicalResourceId" in entry
        }
