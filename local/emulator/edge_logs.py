"""Gap: CloudFormation refused the types that send the logs of CloudFront and of web ACLs to a log group."""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch_logs, waf
from ministack.services.cloudformation import provisioners

from local.emulator.expectation import UnexpectedError

Properties = dict[str, Any]
Made = tuple[str, Properties]
Handlers = dict[str, Callable[..., Any]]


def _answer(response: tuple[int, dict[str, str], Any]) -> dict[str, Any]:
    status, _, body = response
    answer: dict[str, Any] = json.loads(body)
    if status >= 400:
        raise ValueError(answer.get("message") or answer.get("__type"))
    return answer


def _source(_logical_id: str, props: Properties, _stack_name: str) -> Made:
    given = {"name": props["Name"], "resourceArn": props["ResourceArn"], "logType": props["LogType"]}
    made = _answer(cloudwatch_logs._put_delivery_source(given))["deliverySource"]
    return made["name"], {"Arn": made["arn"], "Service": made["service"], "ResourceArns": made["resourceArns"]}


def _destination(_logical_id: str, props: Properties, _stack_name: str) -> Made:
    configuration = {"destinationResourceArn": props["DestinationResourceArn"]}
    given = {"name": props["Name"], "deliveryDestinationConfiguration": configuration}
    if "OutputFormat" in props:
        given["outputFormat"] = props["OutputFormat"]
    made = _answer(cloudwatch_logs._put_delivery_destination(given))["deliveryDestination"]
    return made["name"], {"Arn": made["arn"], "DeliveryDestinationType": made["deliveryDestinationType"]}


def _delivery(_logical_id: str, props: Properties, _stack_name: str) -> Made:
    given = {
        "deliverySourceName": props["DeliverySourceName"],
        "deliveryDestinationArn": props["DeliveryDestinationArn"],
        "recordFields": props.get("RecordFields", []),
    }
    made = _answer(cloudwatch_logs._create_delivery(given))["delivery"]
    return made["id"], {"Arn": made["arn"], "DeliveryId": made["id"]}


def _acl_logging(_logical_id: str, props: Properties, _stack_name: str) -> Made:
    """Nothing reads it: no web ACL is evaluated here. What AWS would refuse is refused."""
    arn = props["ResourceArn"]
    if not any(acl["ARN"] == arn for acl in waf._web_acls.values()):
        raise ValueError(f"There is no web ACL {arn}")
    for destination in props["LogDestinationConfigs"]:
        if not destination.rpartition(":")[2].startswith("aws-waf-logs-"):
            raise ValueError(f"The ARN isn't valid. A log destination's name begins with aws-waf-logs-: {destination}")
    return arn, {}


def _made_by(create: Callable[..., Made], delete: Callable[[str], object]) -> Handlers:
    def removed(physical_id: str, _props: Properties) -> None:
        delete(physical_id)

    def update(physical_id: str, _old: Properties, new: Properties, stack_name: str) -> Made:
        delete(physical_id)
        return create("", new, stack_name)

    return {"create": create, "update": update, "delete": removed}


def patch() -> None:
    missing = {
        "AWS::Logs::DeliverySource": _made_by(
            _source, lambda name: cloudwatch_logs._delete_delivery_source({"name": name})
        ),
        "AWS::Logs::DeliveryDestination": _made_by(
            _destination, lambda name: cloudwatch_logs._delete_delivery_destination({"name": name})
        ),
        "AWS::Logs::Delivery": _made_by(_delivery, lambda id_: cloudwatch_logs._delete_delivery({"id": id_})),
        "AWS::WAFv2::LoggingConfiguration": _made_by(_acl_logging, lambda _arn: None),
    }
    for name, handlers in missing.items():
        if name in provisioners._RESOURCE_HANDLERS:
            raise UnexpectedError(f"MiniStack makes {name} by itself now: take it out of the emulator's edge_logs.")
        provisioners._RESOURCE_HANDLERS[name] = handlers
