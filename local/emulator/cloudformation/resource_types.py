"""Gaps in the resource types of CloudFormation.

- MiniStack rejects some types: rules of a security group as resources of their own, the association and the logging of
  a web ACL, the deliveries of CloudFront's logs to a log group, saved queries, and composite alarms. They are added
  here.
- A custom resource whose function fails before it answers makes the deployment wait for an hour. AWS waits too, because
  it calls the function asynchronously and the function may still answer. Here the call has ended, so the resource fails
  at once with the function's error as the reason.
- Two stacks that give a policy of CloudFront the same name share the first one's policy. AWS refuses the second, in
  whatever Region it is.
"""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs, ec2, lambda_svc, waf
from ministack.services.cloudformation import custom_resource, provisioners

from local.emulator.patching import UnexpectedMiniStackError, replace_function

Properties = dict[str, Any]
Created = tuple[str, Properties]
"""The physical id and the attributes of a resource."""
Create = Callable[[str, Properties, str], Created]
Delete = Callable[[str, Properties], None]
Update = Callable[[str, Properties, Properties, str], Created]

_original = SimpleNamespace()


def add_resource_type(name: str, create: Create, delete: Delete, *, update: Update | None = None) -> None:
    """Add a resource type to CloudFormation. Without `update`, an update deletes the resource and creates a new one.

    Raises UnexpectedMiniStackError if MiniStack has the type.
    """

    def replace_resource(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Created:
        delete(physical_id, old)
        return create("", new, stack_name)

    if name in provisioners._RESOURCE_HANDLERS:
        raise UnexpectedMiniStackError(f"MiniStack now supports {name}: remove the emulator's own version.")
    provisioners._RESOURCE_HANDLERS[name] = {
        "create": create,
        "update": update or replace_resource,
        "delete": delete,
    }


def _add_security_group_rule(name: str, direction: str) -> None:
    """Add the type of a rule in `IpPermissions` or `IpPermissionsEgress` of the group that GroupId names."""

    def create(_logical_id: str, props: Properties, _stack_name: str) -> Created:
        ec2._ensure_defaults_initialized()
        rules = _list_rules(props["GroupId"], direction)
        [rule] = provisioners._ec2_sg_permissions([props])
        rules.append(rule)
        rule_id = ec2._sg_rule_id(props["GroupId"], direction == "IpPermissionsEgress", rule)
        return rule_id, {"Id": rule_id}

    def delete(_physical_id: str, props: Properties) -> None:
        if props["GroupId"] in ec2._security_groups:
            rules = _list_rules(props["GroupId"], direction)
            rules[:] = [rule for rule in rules if rule not in provisioners._ec2_sg_permissions([props])]

    add_resource_type(name, create, delete)


def _list_rules(group_id: str, direction: str) -> list[Any]:
    group = ec2._security_groups.get(group_id)
    if group is None:
        raise ValueError(f"The security group '{group_id}' does not exist")
    return group.setdefault(direction, [])  # type: ignore[no-any-return]


def _create_acl_association(_logical_id: str, props: Properties, _stack_name: str) -> Created:
    waf._associations[props["ResourceArn"]] = props["WebACLArn"]
    return f"{props['WebACLArn']}|{props['ResourceArn']}", {}


def _delete_acl_association(_physical_id: str, props: Properties) -> None:
    waf._associations.pop(props["ResourceArn"], None)


def _create_acl_logging(_logical_id: str, props: Properties, _stack_name: str) -> Created:
    """Check the properties as AWS does. The emulator evaluates no web ACL, so it stores nothing."""
    arn = props["ResourceArn"]
    if not any(acl["ARN"] == arn for acl in waf._web_acls.values()):
        raise ValueError(f"The web ACL {arn} does not exist")
    for destination in props["LogDestinationConfigs"]:
        if not destination.rpartition(":")[2].startswith("aws-waf-logs-"):
            raise ValueError(f"The ARN isn't valid. A log destination's name begins with aws-waf-logs-: {destination}")
    return arn, {}


def _delete_acl_logging(_physical_id: str, _props: Properties) -> None:
    """Do nothing: nothing is stored."""


def _create_delivery_source(_logical_id: str, props: Properties, _stack_name: str) -> Created:
    request = {"name": props["Name"], "resourceArn": props["ResourceArn"], "logType": props["LogType"]}
    source = _read_response(cloudwatch_logs._put_delivery_source(request))["deliverySource"]
    return source["name"], {"Arn": source["arn"], "Service": source["service"], "ResourceArns": source["resourceArns"]}


def _delete_delivery_source(physical_id: str, _props: Properties) -> None:
    cloudwatch_logs._delete_delivery_source({"name": physical_id})


def _create_delivery_destination(_logical_id: str, props: Properties, _stack_name: str) -> Created:
    configuration = {"destinationResourceArn": props["DestinationResourceArn"]}
    request = {"name": props["Name"], "deliveryDestinationConfiguration": configuration}
    if "OutputFormat" in props:
        request["outputFormat"] = props["OutputFormat"]
    destination = _read_response(cloudwatch_logs._put_delivery_destination(request))["deliveryDestination"]
    attributes = {"Arn": destination["arn"], "DeliveryDestinationType": destination["deliveryDestinationType"]}
    return destination["name"], attributes


def _delete_delivery_destination(physical_id: str, _props: Properties) -> None:
    cloudwatch_logs._delete_delivery_destination({"name": physical_id})


def _create_delivery(_logical_id: str, props: Properties, _stack_name: str) -> Created:
    request = {
        "deliverySourceName": props["DeliverySourceName"],
        "deliveryDestinationArn": props["DeliveryDestinationArn"],
        "recordFields": props.get("RecordFields", []),
    }
    delivery = _read_response(cloudwatch_logs._create_delivery(request))["delivery"]
    return delivery["id"], {"Arn": delivery["arn"], "DeliveryId": delivery["id"]}


def _delete_delivery(physical_id: str, _props: Properties) -> None:
    cloudwatch_logs._delete_delivery({"id": physical_id})


def _put_composite_alarm(name: str, props: Properties) -> Created:
    """Create a composite alarm, or change it; its state stays. The alarms of its rule must exist."""
    _read_response(cloudwatch._put_composite_alarm({}, {**props, "AlarmName": name}, False, True))
    return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}


def _create_composite_alarm(logical_id: str, props: Properties, stack_name: str) -> Created:
    name = props.get("AlarmName") or provisioners._physical_name(stack_name, logical_id, max_len=255)
    return _put_composite_alarm(name, props)


def _update_composite_alarm(physical_id: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
    return _put_composite_alarm(physical_id, new)


def _delete_composite_alarm(physical_id: str, _props: Properties) -> None:
    cloudwatch._delete_alarms({}, {"AlarmNames": [physical_id]}, False, True)


def _create_saved_query(logical_id: str, props: Properties, stack_name: str) -> Created:
    """Check the properties as AWS does. The emulator has no CloudWatch Logs Insights, so it stores nothing."""
    if not 1 <= len(props["Name"]) <= 255 or not 1 <= len(props["QueryString"]) <= 10_000:
        raise ValueError("A saved query needs a name of 1 to 255 and a text of 1 to 10,000 characters")
    if missing := [name for name in props.get("LogGroupNames", []) if name not in cloudwatch_logs._log_groups]:
        raise ValueError(f"The specified log group does not exist: {missing[0]}")
    query_id = f"{stack_name}-{logical_id}"
    return query_id, {"QueryDefinitionId": query_id}


def _delete_saved_query(_physical_id: str, _props: Properties) -> None:
    """Do nothing: nothing is stored."""


def _read_response(response: tuple[int, dict[str, str], Any]) -> dict[str, Any]:
    status, _, body = response
    content: dict[str, Any] = json.loads(body)
    if status >= 400:
        raise ValueError(content.get("message") or content.get("__type"))
    return content


def _execute_function(func: dict[str, Any], event: Any) -> dict[str, Any]:
    result: dict[str, Any] = _original.execute_function(func, event)
    if result.get("error") and isinstance(event, dict) and "ResponseURL" in event and "RequestType" in event:
        token = event["ResponseURL"].rstrip("/").rsplit("/", 1)[-1]
        body = result.get("body") or {}
        reason = f"{body.get('errorType', body.get('__type'))}: {body.get('errorMessage', body.get('message'))}"
        custom_resource.deliver_response(token, {"Status": "FAILED", "Reason": reason})
    return result


def _create_policy(store: Any, parse: Any, label: str, props: Properties, key: str, *names: str) -> Created:
    """Create a cache, origin request or response headers policy, or raise ValueError if its name is taken.

    `key` is the property that holds the policy's configuration.
    """
    if name := (props.get(key) or {}).get("Name"):
        provisioners._cf_refuse_taken_name(store, "", name, label, lambda policy: policy["Config"]["Name"])
    created: Created = _original.create_policy(store, parse, label, props, key, *names)
    return created


def patch() -> None:
    _add_security_group_rule("AWS::EC2::SecurityGroupIngress", "IpPermissions")
    _add_security_group_rule("AWS::EC2::SecurityGroupEgress", "IpPermissionsEgress")
    add_resource_type("AWS::WAFv2::WebACLAssociation", _create_acl_association, _delete_acl_association)
    add_resource_type("AWS::WAFv2::LoggingConfiguration", _create_acl_logging, _delete_acl_logging)
    add_resource_type("AWS::Logs::DeliverySource", _create_delivery_source, _delete_delivery_source)
    add_resource_type("AWS::Logs::DeliveryDestination", _create_delivery_destination, _delete_delivery_destination)
    add_resource_type("AWS::Logs::Delivery", _create_delivery, _delete_delivery)
    add_resource_type(
        "AWS::CloudWatch::CompositeAlarm",
        _create_composite_alarm,
        _delete_composite_alarm,
        update=_update_composite_alarm,
    )
    add_resource_type("AWS::Logs::QueryDefinition", _create_saved_query, _delete_saved_query)
    _original.execute_function = replace_function(
        lambda_svc, "_execute_function_with_config_scope", "26a9d5f64e17", _execute_function
    )
    _original.create_policy = replace_function(provisioners, "_cf_policy_create", "80283c8addfc", _create_policy)
