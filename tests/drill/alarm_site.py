"""A stack whose alarms are watched, and whose parts a drill breaks."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import httpx

from local.emulator.environment import MINUTE_SECONDS, read_minute
from local.stack import Stack, up
from local.stack.services import CREDENTIALS, REGION, STACK_NAME
from ops.template import read_template
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.samples import airport
from tests.stack.waiting import eventually

PARAMETERS = {"ReadCache": "true", "Canary": "scheduled", "ReadableSeconds": "5"}
ALARM_TYPES = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")


class AlarmSite:
    """The parts of a stack by their logical ids, and the states of its alarms."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.recovery = stack, RecoveryHarness(stack)
        self.minute = read_minute()
        self._clients: dict[str, Any] = {}
        # Alarms that the stack lacks, because it has no such part: logical id to name.
        self.added: dict[str, str] = {}

    @cached_property
    def ids(self) -> dict[str, str]:
        """The physical id of each resource by its logical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK_NAME)
        resources = [entry for page in pages for entry in page["StackResourceSummaries"]]
        return {entry["LogicalResourceId"]: entry["PhysicalResourceId"] for entry in resources}

    @cached_property
    def http(self) -> httpx.Client:
        """A client of the service with every scope."""
        headers = {"Authorization": f"Bearer {self.stack.machine_token()}"}
        return httpx.Client(base_url=self.stack.api_url, headers=headers, timeout=60, trust_env=False)

    @cached_property
    def airports(self) -> list[str]:
        """The codes of airports that are stored. The first use writes them."""
        codes = [f"AL{number:02}" for number in range(60)]
        for code in codes:
            self.http.put(f"/v1/airports/{code}", json=airport(code)).raise_for_status()
        eventually(lambda: self.recovery.read_versions("AL").keys() >= set(codes))
        self.stack.servers.wait_for_replicas()
        return codes

    def client(self, service: str) -> Any:
        """A client that does not repeat a failed call."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,  # type: ignore[call-overload]
                endpoint_url=self.stack.emulator.url,
                region_name=REGION,
                config=botocore.config.Config(retries={"total_max_attempts": 1}, max_pool_connections=40),
                aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            )
        return self._clients[service]

    def set_minute(self, seconds: float) -> None:
        """Restart the emulator with this length of a minute of alarms."""
        if self.minute == seconds:
            return
        os.environ[MINUTE_SECONDS] = str(seconds)
        self.minute = seconds
        self.stack.emulator.stop()
        self.stack.emulator.start()

    @cached_property
    def descriptions(self) -> dict[str, dict[str, Any]]:
        """The alarms of the template, conditional ones included, by logical id."""
        resources = read_template()["Resources"]
        return {name: entry for name, entry in resources.items() if entry["Type"] in ALARM_TYPES}

    def read_states(self, alarms: Sequence[str]) -> dict[str, str]:
        """The states of alarms by logical id, from CloudWatch."""
        names = {self.added.get(alarm) or self.ids[alarm]: alarm for alarm in alarms}
        pages = self.client("cloudwatch").get_paginator("describe_alarms")
        described = [
            alarm
            for page in pages.paginate(AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
            for alarm in (*page["MetricAlarms"], *page["CompositeAlarms"])
        ]
        return {names[alarm["AlarmName"]]: str(alarm["StateValue"]) for alarm in described}

    def read_history(self, since: float) -> list[tuple[str, str]]:
        """The changes of state since then: name of the alarm and new state, the oldest first."""
        pages = self.client("cloudwatch").get_paginator("describe_alarm_history")
        items = [
            item
            for page in pages.paginate(HistoryItemType="StateUpdate", ScanBy="TimestampAscending")
            for item in page["AlarmHistoryItems"]
            if item["Timestamp"].timestamp() >= since
        ]
        return [(item["AlarmName"], json.loads(item["HistoryData"])["newState"]["stateValue"]) for item in items]

    def wait_for(
        self, state: str, alarms: Sequence[str], seconds: float, act: Callable[[], object] | None = None
    ) -> dict[str, float]:
        """Return after how many seconds each alarm was in the state. Call `act` again and again meanwhile."""
        started, reached = time.monotonic(), dict[str, float]()
        while True:
            for alarm, current in self.read_states(alarms).items():
                if current == state:
                    reached.setdefault(alarm, time.monotonic() - started)
            missing = sorted(set(alarms) - set(reached))
            if not missing:
                return reached
            if time.monotonic() - started > seconds:
                raise AssertionError(f"after {seconds:.0f} s not {state}: {missing} ({self.read_states(missing)})")
            if act:
                act()
            time.sleep(0.05)

    def add_alarms(self, alarms: Sequence[str], parameters: dict[str, str], stack_name: str = "added-alarms") -> None:
        """Deploy alarms with the text that they have in the template, without their conditions.

        `parameters` has the values of the resources and parameters that they refer to.
        """
        resources = {name: {**self.descriptions[name]} for name in alarms}
        for resource in resources.values():
            resource.pop("Condition", None)
        parameters = {"Alerts": self.stack.outputs["AlertsTopicArn"], **parameters}
        template = {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Parameters": {name: {"Type": "String"} for name in parameters},
            "Resources": resources,
            "Outputs": {name: {"Value": {"Ref": name}} for name in alarms},
        }
        formation = self.client("cloudformation")
        formation.create_stack(
            StackName=stack_name,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        )
        formation.get_waiter("stack_create_complete").wait(
            StackName=stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        [described] = formation.describe_stacks(StackName=stack_name)["Stacks"]
        self.added |= {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


@contextmanager
def open_site(folder: Path, memory_folder: Path, minute: float) -> Iterator[AlarmSite]:
    """A stack with a read cache, whose alarms have minutes of this length."""
    os.environ[MINUTE_SECONDS] = str(minute)
    try:
        site = AlarmSite(up(folder, memory_folder=memory_folder, parameter_overrides=PARAMETERS))
        # A drill runs the canary when it needs it.
        with site.recovery.disable_rules("CanarySchedule"):
            _add_alarms_on_proofs(site)
            yield site
    finally:
        del os.environ[MINUTE_SECONDS]


# A local stack proves no backups. The alarms on proofs are in a stack of their own, whose name their metrics have, and
# other parts of the local stack stand for those of a proof.
PROOFS_STACK = "alarms-on-proofs"
_PARTS_OF_A_PROOF = {
    "ProofFunction": "PlanFunction",
    "ProofInstanceFunction": "LeaseFunction",
    "ProveBackup": "Rebuild",
}


def _add_alarms_on_proofs(site: AlarmSite) -> None:
    alarms = [name for name, entry in site.descriptions.items() if entry.get("Condition") == "BackupsProven"]
    parameters = {name: site.ids[part] for name, part in _PARTS_OF_A_PROOF.items()}
    site.add_alarms(alarms, {**parameters, "RunbookUrl": "docs"}, PROOFS_STACK)
