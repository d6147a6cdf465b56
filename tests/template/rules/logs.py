"""Log groups."""

from typing import Any

from tests.template.rules.reading import of_type
from tests.template.rules.rule import Rule, RuleMatch, Template


class LogRetention(Rule):
    """A log group without a retention grows forever."""

    id = "E9104"
    shortdesc = "Log groups have a retention"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name, "Properties"], f"{name} has no RetentionInDays")
            for name, group in of_type(cfn, "AWS::Logs::LogGroup")
            if not group.get("RetentionInDays")
        ]


class PlatformDropsNoLine(Rule):
    """Lambda drops each line below ApplicationLogLevel, and takes a line without a level for INFO: also a metric (EMF).

    So the level is fixed at INFO. The function itself leaves out its lines below `LOG_LEVEL`, and never a metric.
    Source: the Lambda Developer Guide, "Log-level filtering".
    """

    id = "E9160"
    shortdesc = "Lambda drops no line of a function: the application log level of a function with JSON logs is INFO"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name, "Properties"], f"{name} loses lines and metrics below {level}")
            for name, function in of_type(cfn, "AWS::Lambda::Function")
            for level in [self._lowest_level(function.get("LoggingConfig", {}))]
            if level != "INFO"
        ]

    def _lowest_level(self, config: dict[str, Any]) -> Any:
        return config.get("ApplicationLogLevel", "INFO") if config.get("LogFormat") == "JSON" else "INFO"


class NoMetricFromLines(Rule):
    """A metric from log lines is silent when `LogLevel` leaves the lines out."""

    id = "E9161"
    shortdesc = "No metric is made from log lines: the functions write their metrics themselves"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name} needs log lines, which LogLevel can leave out")
            for name, _ in of_type(cfn, "AWS::Logs::MetricFilter")
        ]


class AccessLogIds(Rule):
    """Clients see the request id, and may choose it; nobody chooses the extended one."""

    id = "E9163"
    shortdesc = "The access log of an API has both ids of a request"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"The access log of {name} lacks {variable}")
            for name, stage in of_type(cfn, "AWS::ApiGateway::Stage")
            for variable in ("$context.requestId", "$context.extendedRequestId")
            if f'"{variable}"' not in stage.get("AccessLogSetting", {}).get("Format", "")
        ]
