"""Alarms: a part that can fail silently has an alarm that can fire, and every alarm has an action."""

from collections.abc import Iterator
from typing import Any, ClassVar

from tests.template.rules.reading import Properties, branches, names, of_type
from tests.template.rules.rule import Rule, RuleMatch, Template

_ALARM, _COMPOSITE_ALARM = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"
_STREAM = "AWS::KinesisFirehose::DeliveryStream"
_MACHINE = "AWS::StepFunctions::StateMachine"


def list_metrics(alarm: Properties) -> list[Properties]:
    """The metrics of an alarm, also of one with metric math."""
    queries = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
    return queries or [alarm]


def watches(cfn: Template, namespace: str, metric: str, resource: str) -> bool:
    """Whether an alarm watches that metric of the resource."""
    return any(
        (entry.get("Namespace"), entry.get("MetricName")) == (namespace, metric)
        and names(entry.get("Dimensions"), resource)
        for _, alarm in of_type(cfn, _ALARM)
        for entry in list_metrics(alarm)
    )


def _find_unwatched(cfn: Template, namespace: str, resource: str, *metrics: str) -> list[RuleMatch]:
    return [
        RuleMatch(["Resources", resource], f"No alarm watches {metric} of {resource}")
        for metric in metrics
        if not watches(cfn, namespace, metric, resource)
    ]


class Alarms(Rule):
    """Without an alarm, nobody notices a dead letter; without an action, nobody notices an alarm."""

    id = "E9123"
    shortdesc = "Queues have an alarm; every alarm has an action and chooses how it treats missing data"

    def match(self, cfn: Template) -> list[RuleMatch]:
        queues = [name for name, _ in of_type(cfn, "AWS::SQS::Queue")]
        rules = str([alarm["AlarmRule"] for _, alarm in of_type(cfn, _COMPOSITE_ALARM)])
        return [
            *(match for name in queues for match in self._check_queue(cfn, name)),
            *(
                RuleMatch(["Resources", name], f"{name} {fault}")
                for kind in (_ALARM, _COMPOSITE_ALARM)
                for name, alarm in of_type(cfn, kind)
                for fault in self._list_faults(alarm, is_part=f'ALARM("${{{name}}}")' in rules)
            ),
        ]

    def _check_queue(self, cfn: Template, name: str) -> list[RuleMatch]:
        return _find_unwatched(cfn, "AWS/SQS", name, "ApproximateNumberOfMessagesVisible")

    def _list_faults(self, alarm: Properties, *, is_part: bool) -> Iterator[str]:
        """What is missing. The part of a composite alarm notifies nobody, and a composite alarm itself has no data."""
        if not is_part and not any(branches(alarm.get("AlarmActions"))):
            yield "has no AlarmActions"
        if "AlarmRule" not in alarm and "TreatMissingData" not in alarm:
            yield "has no TreatMissingData"
        if not alarm.get("AlarmDescription"):
            yield "has no AlarmDescription"


class FunctionAlarms(Rule):
    """A function that fails or is throttled is an error of a client, or work that is not done."""

    id = "E9170"
    shortdesc = "Alarms watch the errors and throttles of every function that a deploy does not report"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            match
            for name, _ in of_type(cfn, "AWS::Lambda::Function")
            if not self._belongs_to_deploy(cfn, name)
            for match in _find_unwatched(cfn, "AWS/Lambda", name, "Errors", "Throttles")
        ]

    def _belongs_to_deploy(self, cfn: Template, function: str) -> bool:
        """Whether it is the function of a custom resource: CloudFormation reports its errors to whoever deploys."""
        return any(names(resource.get("Properties", {}).get("ServiceToken"), function) for resource in _resources(cfn))


class WorkflowAlarms(Rule):
    """Step Functions counts an execution as timed out only after the TimeoutSeconds of its whole definition."""

    id = "E9171"
    shortdesc = "Alarms watch failed and aborted executions of every workflow, and timed out ones where they can occur"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [match for name, machine in of_type(cfn, _MACHINE) for match in self._check(cfn, name, machine)]

    def _check(self, cfn: Template, name: str, machine: Properties) -> list[RuleMatch]:
        matches = _find_unwatched(cfn, "AWS/States", name, "ExecutionsFailed", "ExecutionsAborted")
        if "TimeoutSeconds" in machine["Definition"]:
            return [*matches, *_find_unwatched(cfn, "AWS/States", name, "ExecutionsTimedOut")]
        if watches(cfn, "AWS/States", "ExecutionsTimedOut", name):
            message = f"An alarm watches ExecutionsTimedOut of {name}, whose definition has no TimeoutSeconds"
            return [*matches, RuleMatch(["Resources", name], message)]
        return matches


class StreamAlarms(Rule):
    """Firehose drops what it cannot deliver for 24 hours, and refuses what exceeds its quota."""

    id = "E9172"
    shortdesc = "Alarms watch delivery, transform, throttles and quotas of a stream, and its backup where it has one"

    delivery = ("DeliveryToS3.DataFreshness", "ExecuteProcessing.Success")
    backup = ("BackupToS3.DataFreshness", "BackupToS3.Success")
    quotas = (
        "ThrottledRecords",
        "IncomingBytes",
        "BytesPerSecondLimit",
        "IncomingRecords",
        "RecordsPerSecondLimit",
        "IncomingPutRequests",
        "PutRequestsPerSecondLimit",
    )

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [match for name, stream in of_type(cfn, _STREAM) for match in self._check(cfn, name, stream)]

    def _check(self, cfn: Template, name: str, stream: Properties) -> list[RuleMatch]:
        has_backup = stream["ExtendedS3DestinationConfiguration"].get("S3BackupMode") == "Enabled"
        metrics = (*self.delivery, *(self.backup if has_backup else ()), *self.quotas)
        return _find_unwatched(cfn, "AWS/Firehose", name, *metrics)


class DatabaseAlarms(Rule):
    """RDS publishes CPU credits for burstable classes only: for others, an alarm on them can never fire."""

    id = "E9173"
    shortdesc = "Alarms watch CPU, credits, memory, connections and storage of every database instance"

    metrics = ("CPUUtilization", "CPUCreditBalance", "FreeableMemory", "DatabaseConnections", "FreeStorageSpace")

    def match(self, cfn: Template) -> list[RuleMatch]:
        databases = [name for name, _ in of_type(cfn, "AWS::RDS::DBInstance")]
        return [
            *(match for name in databases for match in _find_unwatched(cfn, "AWS/RDS", name, *self.metrics)),
            *(
                RuleMatch(["Resources", name], f"{name} watches CPUCreditBalance of classes that have no credits")
                for name, alarm in of_type(cfn, _ALARM)
                if alarm.get("MetricName") == "CPUCreditBalance" and not self._is_for_burstable(cfn, name)
            ),
        ]

    def _is_for_burstable(self, cfn: Template, alarm: str) -> bool:
        condition = cfn.template["Resources"][alarm].get("Condition", "")
        return "db.t4g.medium" in str(_expand_condition(cfn, {"Condition": condition}))


class ApiAlarms(Rule):
    """An API that answers late or with errors. Latency is that of the functions: the API's own needs metrics of each
    method, and contains what the cache answers."""

    id = "E9174"
    shortdesc = "Alarms watch server errors of the API and the duration of a write and of a read"

    def match(self, cfn: Template) -> list[RuleMatch]:
        watched = {
            metric.get("MetricName")
            for _, alarm in of_type(cfn, _ALARM)
            for metric in list_metrics(alarm)
            if metric.get("Namespace") == "AWS/ApiGateway"
        }
        apis = list(of_type(cfn, "AWS::ApiGateway::RestApi"))
        unwatched = [name for name, _ in apis if "5XXError" not in watched]
        functions = [
            name
            for name, function in of_type(cfn, "AWS::Lambda::Function")
            if apis and function.get("Handler") in {"sluice.handlers.post.handle", "sluice.handlers.get.handle"}
        ]
        return [
            *(RuleMatch(["Resources", name], f"No alarm watches 5XXError of {name}") for name in unwatched),
            *(match for name in functions for match in _find_unwatched(cfn, "AWS/Lambda", name, "Duration")),
        ]


class RejectedWritesAlarm(Rule):
    """A rejected write is an accepted write that no load can apply: its caller got 202."""

    id = "E9175"
    shortdesc = "An alarm watches the writes that the database rejects"

    def match(self, cfn: Template) -> list[RuleMatch]:
        watched = [metric.get("MetricName") for _, alarm in of_type(cfn, _ALARM) for metric in list_metrics(alarm)]
        # edge.yaml has no function, so nothing that rejects writes.
        has_functions = any(of_type(cfn, "AWS::Lambda::Function"))
        return (
            []
            if "WritesRejected" in watched or not has_functions
            else [RuleMatch(["Resources"], "No alarm watches WritesRejected")]
        )


def _resources(cfn: Template) -> list[dict[str, Any]]:
    return list(cfn.template["Resources"].values())


def _expand_condition(cfn: Template, node: Any) -> Any:
    """The node with each named condition replaced by its definition."""
    if isinstance(node, list):
        return [_expand_condition(cfn, entry) for entry in node]
    if not isinstance(node, dict):
        return node
    if isinstance(name := node.get("Condition"), str):
        return _expand_condition(cfn, cfn.template["Conditions"].get(name))
    return {key: _expand_condition(cfn, value) for key, value in node.items()}


class StackMetrics(Rule):
    """Two stacks in an account and Region write into the same namespace."""

    id = "E9162"
    shortdesc = "The functions' metrics have the dimensions service and stack, and alarms on them name both"

    # The dimensions that `sluice.observability` gives to every metric.
    dimensions = (
        {"Name": "service", "Value": "sluice"},
        {"Name": "stack", "Value": {"Ref": "AWS::StackName"}},
    )
    # Metrics that are counted for each of several things.
    further_dimensions: ClassVar[dict[str, set[str]]] = {"ReplicaSkipped": {"Replica"}}

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            *(
                RuleMatch(["Resources", name], f"{name} does not name service and stack of {metric['MetricName']}")
                for name, alarm in of_type(cfn, _ALARM)
                for metric in list_metrics(alarm)
                if "Sluice" in str(metric.get("Namespace")) and not self._names_stack(metric)
            ),
            *(
                RuleMatch(["Resources", name], f"{name} has no STACK_NAME, the dimension stack of its metrics")
                for name, function in of_type(cfn, "AWS::Lambda::Function")
                if function.get("Environment", {}).get("Variables", {}).get("STACK_NAME") != {"Ref": "AWS::StackName"}
            ),
        ]

    def _names_stack(self, metric: Properties) -> bool:
        dimensions = metric.get("Dimensions", [])
        further = self.further_dimensions.get(metric["MetricName"], set())
        named = [dimension for dimension in dimensions if dimension["Name"] not in further]
        return (
            metric["Namespace"] == "Sluice"
            and sorted(named, key=lambda dimension: str(dimension["Name"])) == list(self.dimensions)
            and len(dimensions) == len(named) + len(further)
        )
