"""Gap: resource types that CloudFormation refused: a security group's rules apart from it, a web ACL's association."""

from collections.abc import Callable
from typing import Any

from ministack.services import ec2, waf
from ministack.services.cloudformation import provisioners

from local.emulator.expectation import UnexpectedError

Properties = dict[str, Any]
Handlers = dict[str, Callable[..., Any]]


def _rules(group_id: str, direction: str) -> list[Any]:
    group = ec2._security_groups.get(group_id)
    if group is None:
        raise ValueError(f"The security group '{group_id}' does not exist")
    return group.setdefault(direction, [])  # type: ignore[no-any-return]


def _security_group_rule(direction: str) -> Handlers:
    """Handlers of a rule in `IpPermissions` or `IpPermissionsEgress` of the group named by GroupId."""

    def create(_logical_id: str, props: Properties, _stack_name: str) -> tuple[str, Properties]:
        ec2._ensure_defaults_initialized()
        rules = _rules(props["GroupId"], direction)
        [rule] = provisioners._ec2_sg_permissions([props])
        rules.append(rule)
        rule_id = ec2._sg_rule_id(props["GroupId"], direction == "IpPermissionsEgress", rule)
        return rule_id, {"Id": rule_id}

    def delete(_physical_id: str, props: Properties) -> None:
        if props["GroupId"] in ec2._security_groups:
            rules = _rules(props["GroupId"], direction)
            rules[:] = [rule for rule in rules if rule not in provisioners._ec2_sg_permissions([props])]

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> tuple[str, Properties]:
        delete(physical_id, old)
        return create("", new, stack_name)

    return {"create": create, "update": update, "delete": delete}


def _web_acl_association() -> Handlers:
    def create(_logical_id: str, props: Properties, _stack_name: str) -> tuple[str, Properties]:
        waf._associations[props["ResourceArn"]] = props["WebACLArn"]
        return f"{props['WebACLArn']}|{props['ResourceArn']}", {}

    def delete(_physical_id: str, props: Properties) -> None:
        waf._associations.pop(props["ResourceArn"], None)

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> tuple[str, Properties]:
        delete(physical_id, old)
        return create("", new, stack_name)

    return {"create": create, "update": update, "delete": delete}


def patch() -> None:
    missing = {
        "AWS::EC2::SecurityGroupIngress": _security_group_rule("IpPermissions"),
        "AWS::EC2::SecurityGroupEgress": _security_group_rule("IpPermissionsEgress"),
        "AWS::WAFv2::WebACLAssociation": _web_acl_association(),
    }
    for name, handlers in missing.items():
        if name in provisioners._RESOURCE_HANDLERS:
            raise UnexpectedError(f"MiniStack makes {name} by itself now: take it out of the emulator's types.")
        provisioners._RESOURCE_HANDLERS[name] = handlers
