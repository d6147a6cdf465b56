"""A second stack in the emulator of a deployed one, with its build and its own databases. Its deployments may fail."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from local.stack import Stack
from local.stack.deployment import delete_stack, deploy_stack, read_status
from local.stack.parameters import choose_parameters, detect_architecture, detect_runtime, resolve_parameters
from local.stack.stack import fetch_machine_token

Template = dict[str, Any]
NAME, DATABASE = "sluice-second", "second"
TAKEN_NAME = "/second/taken"


class SecondStack:
    """Deploy it, read it, write to it and delete it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.outputs: dict[str, str] = {}

    @property
    def status(self) -> str:
        return read_status(self._stack.emulator, NAME)

    def deploy(
        self, change: Callable[[Template], None] | None = None, *, provision_database: bool = False, **settings: str
    ) -> None:
        """Deploy the built template after a change, with parameters. Raises LocalError if the deployment fails."""
        if provision_database:
            parameters = {"Runtime": detect_runtime(), "Architecture": detect_architecture()}
        else:
            chosen = choose_parameters({"ReadCache": "false", "DatabaseName": DATABASE})
            parameters = resolve_parameters(chosen, self._stack.emulator, self._stack.servers, self._stack.cache)
        self.outputs = deploy_stack(
            self._stack.folder,
            self._stack.emulator,
            {**parameters, **settings},
            stack_name=NAME,
            template=self._write_template(change),
        )

    def _write_template(self, change: Callable[[Template], None] | None) -> Path:
        # Beside the built one, because its paths are relative.
        folder = self._stack.folder.build
        template = json.loads((folder / "template.yaml").read_text())
        if change:
            change(template)
        path = folder / "second.yaml"
        path.write_text(json.dumps(template))
        return path

    def delete(self) -> None:
        """Delete it, if it exists. Raises WaiterError of botocore if something cannot be deleted."""
        if self.status:
            delete_stack(self._stack.emulator, NAME)

    def list_events(self) -> list[dict[str, Any]]:
        """The events of the stack, the first one first."""
        paginator = self._stack.aws_client("cloudformation").get_paginator("describe_stack_events")
        pages = paginator.paginate(StackName=NAME)
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def create_client(self) -> httpx.Client:
        """A client of the API, without the edge, with the token of the machine client."""
        token = fetch_machine_token(self._stack.emulator, self.outputs)
        url = f"{self._stack.emulator.url}/_aws/execute-api/{self.outputs['ApiId']}/{self.outputs['StageName']}"
        return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False)

    def drop_database(self) -> None:
        """Drop the schema and the users that the migration created."""
        with (
            self._stack.servers.primary.connect(*self._stack.servers.admin_credentials, autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
            for user in ("loader", "reader"):
                cursor.execute(f"DROP USER IF EXISTS {DATABASE}_{user}")


def refuse_at_the_end(template: Template) -> None:
    """Add a resource that is created after all others and then refused, because its name is taken."""
    resources = template["Resources"]
    resources["Refused"] = {
        "Type": "AWS::Logs::LogGroup",
        "DependsOn": [name for name in resources if not name.startswith("Fn::ForEach")],
        "Properties": {"LogGroupName": TAKEN_NAME},
    }


def migrate_with_new_settings(template: Template) -> None:
    """Change a function, and afterwards the migration, so that both are updated."""
    template["Resources"]["OpenApiFunction"]["Properties"]["Description"] = "Changed."
    template["Resources"]["OpenApiFunction"]["Properties"]["Timeout"] = 19
    template["Resources"]["Migration"]["DependsOn"] = ["OpenApiFunction"]
    template["Resources"]["Migration"]["Properties"]["ServiceTimeout"] = 899


def leave_out_migration(template: Template) -> None:
    """Deploy everything but the tables: the emulator runs no database for the instances of a template."""
    template["Resources"]["Migration"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
