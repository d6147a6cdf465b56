"""What a description consists of: metrics, series of them, and alarms on series.

`Ref`, `Sub` and `GetAtt` are the functions of CloudFormation that a value may need. A resource is named by its logical
id in template.yaml.
"""

from dataclasses import dataclass, field
from typing import Literal

HOUR_SECONDS = 3600


class Ref(str):
    """`!Ref`: the id of a resource, or the value of a parameter."""

    __slots__ = ()


class Sub(str):
    """`!Sub`: a text with `${…}` in it."""

    __slots__ = ()


class GetAtt(str):
    """`!GetAtt`: an attribute of a resource, as `Resource.Attribute`."""

    __slots__ = ()


@dataclass(frozen=True)
class Mapped:
    """`!FindInMap`: the value of a mapping for the value of a parameter."""

    mapping: str
    parameter: str
    key: str


def list_dimensions(namespace: str, resource: str) -> dict[str, str]:
    """The dimensions by which a namespace tells a resource from others. Raises KeyError for an unknown namespace."""
    dimensions: dict[str, dict[str, str]] = {
        # The dimension set of `sluice.observability`, and that of a replica.
        "Sluice": {
            "service": "sluice",
            "stack": Ref("AWS::StackName"),
            **({"Replica": resource} if resource else {}),
        },
        "AWS/ApiGateway": {"ApiName": Ref("AWS::StackName"), "Stage": "live"},
        "AWS/CloudFront": {"DistributionId": Ref(resource), "Region": "Global"},
        "AWS/ElastiCache": {"CacheClusterId": Sub(f"${{{resource}}}-001")},
        "AWS/Firehose": {"DeliveryStreamName": Ref(resource)},
        "AWS/Lambda": {"FunctionName": Ref(resource)},
        "AWS/Logs": {"LogGroupName": Ref(resource)},
        "AWS/RDS": {"DBInstanceIdentifier": Ref(resource)},
        "AWS/SQS": {"QueueName": GetAtt(f"{resource}.QueueName")},
        "AWS/States": {"StateMachineArn": Ref(resource)},
        # Of the account, in this Region.
        "AWS/Usage": {"Service": "CloudWatch", "Type": "API", "Resource": resource, "Class": "None"},
    }
    return dimensions[namespace]


@dataclass(frozen=True)
class Metric:
    """A metric of a namespace. `description` completes "It counts …" or "It is …"."""

    namespace: str
    name: str
    unit: str
    description: str

    def of(self, resource: str, statistic: str, period: int = 60) -> "Series":
        """The metric of a resource, or of a replica by its name.

        `statistic` as CloudWatch names it (`Sum`, `p90`), `period` in seconds.
        """
        return Series(self, resource, statistic, period)

    def of_stack(self, statistic: str, period: int = 60) -> "Series":
        """The metric of all functions together: those of ours name the stack and no function."""
        return Series(self, "", statistic, period)


@dataclass(frozen=True)
class Series:
    """The values of a metric of a resource, or of the whole stack: one in each period of so many seconds."""

    metric: Metric
    resource: str
    statistic: str
    period: int

    @property
    def dimensions(self) -> dict[str, str]:
        return list_dimensions(self.metric.namespace, self.resource)


@dataclass(frozen=True)
class Expression:
    """CloudWatch's metric math: `formula` names its series by their keys. `result` names its own values."""

    formula: str
    series: dict[str, Series]
    result: str


Comparison = Literal["above", "at least", "below", "at most"]


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm. `name` is its logical id; `says` tells an operator what happened, what it means and what to do.

    - `runbook`: the page of docs/how-to that helps, with the section: `outages.md#the-replica-lags`.
    - It is in alarm when `needed` of the last `periods` values are above the threshold, or whatever else `comparison`
      says; without `needed`, when all of them are.
    - `missing`: how it takes a period without a value. `fine` suits counts of events, `unknown` a part that always
      reports, `breach` what must report.
    - `reports_end`: whether it also reports its end. A lasting state does; a count of events does not.
    - `condition`: the condition of the template without which the alarm does not exist.
    - `is_part`: it notifies nobody; a composite alarm does, which watches its state.
    """

    name: str
    says: str
    runbook: str
    watches: Series | Expression
    comparison: Comparison = "above"
    threshold: float | str = 0
    periods: int = 1
    needed: int | Mapped | None = None
    missing: Literal["fine", "unknown", "breach"] = "fine"
    reports_end: bool = False
    condition: str = ""
    is_part: bool = False
    series: tuple[Series, ...] = field(init=False)

    def __post_init__(self) -> None:
        watched = (self.watches,) if isinstance(self.watches, Series) else tuple(self.watches.series.values())
        object.__setattr__(self, "series", watched)


@dataclass(frozen=True, kw_only=True)
class CompositeAlarm:
    """An alarm on the states of other alarms. Its rule is true when all alarms of one of the groups are in alarm.

    The other fields are those of `Alarm`. It also reports its end.
    """

    name: str
    says: str
    runbook: str
    groups: tuple[tuple[str, ...], ...]
    condition: str = ""
