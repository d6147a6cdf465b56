"""Alarms: a part that can fail silently has an alarm."""

from typing import Any

from tests.template.rules.reading import Properties, branches, names, of_type
from tests.template.rules.rule import Rule, RuleMatch, Template

# By type of resource: the metric that an alarm must watch.
_WATCHED = {
    "AWS::SQS::Queue": ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    "AWS::KinesisFirehose::DeliveryStream": ("AWS/Firehose", "DeliveryToS3.DataFreshness"),
    "AWS::RDS::DBInstance": ("AWS/RDS", "FreeStorageSpace"),
}
_EXECUTIONS = ("AWS/States", "ExecutionsFailed")


class Alarms(Rule):
    """Without an alarm, nobody notices a dead letter."""

    id = "E9123"
    shortdesc = (
        "Queues, streams, databases and workflows started by events have an alarm, and every alarm has an action"
    )

    def match(self, cfn: Template) -> list[RuleMatch]:
        alarms = dict(of_type(cfn, "AWS::CloudWatch::Alarm"))
        wanted = [(name, metric) for kind, metric in _WATCHED.items() for name, _ in of_type(cfn, kind)]
        targets = [target["Arn"] for _, rule in of_type(cfn, "AWS::Events::Rule") for target in rule["Targets"]]
        machines = [name for name, _ in of_type(cfn, "AWS::StepFunctions::StateMachine")]
        wanted += [(name, _EXECUTIONS) for name in machines if any(names(target, name) for target in targets)]
        return [
            *(
                RuleMatch(["Resources", name], f"No alarm watches {metric[1]} of {name}")
                for name, metric in wanted
                if not any(self._watches(alarm, name, metric) for alarm in alarms.values())
            ),
            *(
                RuleMatch(["Resources", name], f"{name} has no AlarmActions")
                for name, alarm in alarms.items()
                if not any(branches(alarm.get("AlarmActions")))
            ),
        ]

    def _watches(self, alarm: Properties, name: str, metric: tuple[str, str]) -> bool:
        return (alarm.get("Namespace"), alarm.get("MetricName")) == metric and names(alarm.get("Dimensions"), name)


class StackMetrics(Rule):
    """Two stacks in an account and Region write into the same namespace."""

    id = "E9162"
    shortdesc = "The functions' metrics have the dimensions service and stack, and alarms on them name both"

    # The only dimension set of `sluice.observability`.
    dimensions = (
        {"Name": "service", "Value": "sluice"},
        {"Name": "stack", "Value": {"Ref": "AWS::StackName"}},
    )

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            *(
                RuleMatch(["Resources", name], f"{name} does not name service and stack of {metric['MetricName']}")
                for name, alarm in of_type(cfn, "AWS::CloudWatch::Alarm")
                for metric in self._metrics(alarm)
                if "Sluice" in str(metric.get("Namespace")) and not self._names_stack(metric)
            ),
            *(
                RuleMatch(["Resources", name], f"{name} has no STACK_NAME, the dimension stack of its metrics")
                for name, function in of_type(cfn, "AWS::Lambda::Function")
                if function.get("Environment", {}).get("Variables", {}).get("STACK_NAME") != {"Ref": "AWS::StackName"}
            ),
        ]

    def _metrics(self, alarm: Properties) -> list[Any]:
        queries = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
        return queries or [alarm]

    def _names_stack(self, metric: Properties) -> bool:
        named = sorted(metric.get("Dimensions", []), key=lambda dimension: str(dimension["Name"]))
        return metric["Namespace"] == "Sluice" and named == list(self.dimensions)
