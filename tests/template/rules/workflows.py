"""Workflows: every task retries and catches errors, and logs contain no execution data."""

from collections.abc import Iterator
from typing import Any

from tests.template.rules.reading import of_type
from tests.template.rules.rule import Rule, RuleMatch, Template


def _states(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in definition["States"].items():
        yield name, state
        inner = [*state.get("Branches", []), *(state[key] for key in ("ItemProcessor", "Iterator") if key in state)]
        for part in inner:
            yield from _states(part)


class TasksRecover(Rule):
    """A Task retries temporary errors and catches all others."""

    id = "E9105"
    shortdesc = "Every Task has a Retry, and a Catch of States.ALL"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", machine, "Properties", "Definition"], f"The Task {name} of {machine} {fault}")
            for machine, properties in of_type(cfn, "AWS::StepFunctions::StateMachine")
            for name, state in _states(properties["Definition"])
            if state["Type"] == "Task"
            for fault in self._faults(state)
        ]

    def _faults(self, state: dict[str, Any]) -> list[str]:
        faults = []
        if not state.get("Retry"):
            faults.append("has no Retry")
        if not any("States.ALL" in catcher["ErrorEquals"] for catcher in state.get("Catch", [])):
            faults.append("has no Catch of States.ALL")
        return faults


class WorkflowLogs(Rule):
    """Logs and traces show every execution, without its data."""

    id = "E9106"
    shortdesc = "Workflows log all events without execution data, and are traced"

    def match(self, cfn: Template) -> list[RuleMatch]:
        matches = []
        for name, properties in of_type(cfn, "AWS::StepFunctions::StateMachine"):
            logging = properties.get("LoggingConfiguration", {})
            if logging.get("Level") != "ALL" or not logging.get("Destinations"):
                matches.append(RuleMatch(["Resources", name, "Properties"], f"{name} does not log ALL"))
            if logging.get("IncludeExecutionData") is not False:
                matches.append(RuleMatch(["Resources", name, "Properties"], f"{name} logs execution data"))
            if not properties.get("TracingConfiguration", {}).get("Enabled"):
                matches.append(RuleMatch(["Resources", name, "Properties"], f"{name} is not traced"))
        return matches
