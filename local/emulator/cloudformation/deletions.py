"""Gaps in the creation and deletion of resources that MiniStack does and AWS refuses.

- A bucket: not while it has objects, nor while its policy denies `s3:DeleteBucket` to everybody.
  https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
- A user pool and a database instance: not while they are protected. CloudFormation does not turn protection off.
  https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-deletion-protection.html and the handler
  https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds (dbinstance/DeleteHandler.java)
- A log group cannot be created where one of that name exists.
  https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
- A rollback of a creation also asks the custom resource whose creation failed to delete itself
  (https://github.com/aws/aws-cdk/pull/5525), and makes the snapshots that DeletionPolicy wants: the handler of a
  database instance knows only the policy.
- What a rollback of a creation could not delete stays in the stack as DELETE_FAILED, and the next deletion of the stack
  tries again. That one is no rollback, so it retains what RetainExceptOnCreate retains.
  https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
"""

import copy
from types import SimpleNamespace
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import cloudwatch_logs, cognito, rds, s3
from ministack.services.cloudformation import custom_resource, engine, handlers, provisioners, stacks

from local.emulator.cloudformation.resource_types import Created, Properties
from local.emulator.patching import replace_function

_original = SimpleNamespace()

_PROTECTED_POOL = (
    "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be inactivated "
    "first."
)

# The physical ids in failed responses of custom resources, by stack id and logical id.
_failed_ids: dict[tuple[str, str], str] = {}


def _delete_bucket(physical_id: str, _props: Properties) -> None:
    if _is_deletion_denied(physical_id):
        raise ValueError(f"Access Denied: the policy of the bucket {physical_id} denies s3:DeleteBucket (AccessDenied)")
    status, _, body = s3._delete_bucket(physical_id)
    if status >= 400 and status != 404:
        raise ValueError(f"The bucket {physical_id} cannot be deleted: {_decode(body)}")


def _is_deletion_denied(bucket: str) -> bool:
    """Whether the bucket's policy denies the deletion to an administrator, who calls CloudFormation with TLS."""
    arn = f"arn:aws:s3:::{bucket}"
    policy = s3.bucket_policy_for_arn(arn)
    account = get_account_id()
    context = EvalContext(
        f"arn:aws:iam::{account}:root", "Root", account, "s3:DeleteBucket", arn, get_region(), secure_transport=True
    )
    return bool(policy) and evaluate_resource_policy(policy[0], context).decision == "Deny"


def _delete_user_pool(physical_id: str, props: Properties) -> None:
    if _is_pool_protected(physical_id):
        raise ValueError(f"{_PROTECTED_POOL} (InvalidParameterException)")
    _original.delete_user_pool(physical_id, props)


def _handle_delete_user_pool(data: dict[str, Any]) -> Any:
    if _is_pool_protected(data.get("UserPoolId", "")):
        return error_response_json("InvalidParameterException", _PROTECTED_POOL, 400)
    return _original.handle_delete_user_pool(data)


def _is_pool_protected(pool_id: str) -> bool:
    return (cognito._user_pools.get(pool_id) or {}).get("DeletionProtection") == "ACTIVE"


def _delete_database(physical_id: str, props: Properties) -> None:
    if _is_database_protected(physical_id):
        raise ValueError(
            "Cannot delete protected DB Instance, please disable deletion protection and try again. "
            "(InvalidParameterCombination)"
        )
    _original.delete_database(physical_id, props)


def _is_database_protected(physical_id: str) -> bool:
    return bool((rds._instances.get(physical_id) or {}).get("DeletionProtection"))


def _create_log_group(logical_id: str, props: Properties, stack_name: str) -> Created:
    name = props.get("LogGroupName", "")
    if name in cloudwatch_logs._log_groups:
        raise ValueError(f"Resource of type 'AWS::Logs::LogGroup' with identifier '{name}' already exists.")
    created: Created = _original.create_log_group(logical_id, props, stack_name)
    return created


def _deliver_response(token: str, response: dict[str, Any]) -> bool:
    if response.get("Status") == "FAILED" and "PhysicalResourceId" in response:
        _failed_ids[response["StackId"], response["LogicalResourceId"]] = response["PhysicalResourceId"]
    return bool(_original.deliver_response(token, response))


async def _roll_back_operation(
    stack_name: str, stack_id: str, stack: dict[str, Any], operation: dict[str, Any], reason_override: str = ""
) -> None:
    if not operation.get("is_update"):
        _snapshot_created(stack_name, stack_id, stack, operation)
    _add_failed_custom_resource(stack_name, stack_id, stack, operation)
    await _original.roll_back_operation(stack_name, stack_id, stack, operation, reason_override)
    if stack["StackStatus"] == "ROLLBACK_FAILED":
        template, parameters = operation["template"], operation["param_values"]
        stack["_template"], stack["_resolved_params"] = template, parameters
        stack["_conditions"] = stacks._evaluate_conditions(template, parameters)
        for logical_id, resource in stack["_rollback_failed"].items():
            failed = {"LogicalResourceId": logical_id, "ResourceStatus": "DELETE_FAILED", "Attributes": {}}
            stack["_resources"][logical_id] = {**resource, **failed}


def _snapshot_created(stack_name: str, stack_id: str, stack: dict[str, Any], operation: dict[str, Any]) -> None:
    for logical_id in operation["created"]:
        resource = stack["_resources"][logical_id]
        policy = _resolve(
            operation, stack, stack_name, stack_id, _read_definition(operation, logical_id, "DeletionPolicy")
        )
        if policy == "Snapshot" and not _is_database_protected(resource["PhysicalResourceId"]):
            provisioners._snapshot_resource(
                resource["ResourceType"], resource["PhysicalResourceId"], resource["Properties"]
            )


def _add_failed_custom_resource(
    stack_name: str, stack_id: str, stack: dict[str, Any], operation: dict[str, Any]
) -> None:
    """Count the custom resource whose creation failed among those that the rollback deletes."""
    logical_id = str(operation.get("failed_logical_id"))
    kind = _read_definition(operation, logical_id, "Type") or ""
    if not kind.startswith("Custom::") or operation.get("failed_update") is not None:
        return
    properties = _resolve(
        operation, stack, stack_name, stack_id, _read_definition(operation, logical_id, "Properties") or {}
    )
    stack["_resources"][logical_id] = {
        "PhysicalResourceId": _failed_ids.pop((stack_id, logical_id), logical_id),
        "ResourceType": kind,
        "LogicalResourceId": logical_id,
        "Properties": {name: value for name, value in properties.items() if value is not engine._NO_VALUE},
        "Attributes": {},
    }
    operation["created"].append(logical_id)


def _read_definition(operation: dict[str, Any], logical_id: str, attribute: str) -> Any:
    return operation["template"].get("Resources", {}).get(logical_id, {}).get(attribute)


def _resolve(operation: dict[str, Any], stack: dict[str, Any], stack_name: str, stack_id: str, value: Any) -> Any:
    template, parameters = operation["template"], operation["param_values"]
    return stacks._resolve_refs(
        copy.deepcopy(value),
        stack["_resources"],
        parameters,
        stacks._evaluate_conditions(template, parameters),
        template.get("Mappings", {}),
        stack_name,
        stack_id,
    )


def _decode(body: Any) -> str:
    return body.decode() if isinstance(body, bytes) else str(body)


def _replace_handler(kind: str, step: str, replacement: Any) -> None:
    provisioners._RESOURCE_HANDLERS[kind][step] = replacement


def patch() -> None:
    _original.delete_bucket = replace_function(provisioners, "_s3_delete", "52bcaf59bd5b", _delete_bucket)
    _replace_handler("AWS::S3::Bucket", "delete", _delete_bucket)
    _original.delete_user_pool = replace_function(
        provisioners, "_cognito_user_pool_delete", "78aeda55a683", _delete_user_pool
    )
    _replace_handler("AWS::Cognito::UserPool", "delete", _delete_user_pool)
    _original.handle_delete_user_pool = replace_function(
        cognito, "_delete_user_pool", "4a78aff687ef", _handle_delete_user_pool
    )
    _original.delete_database = replace_function(
        provisioners, "_rds_db_instance_delete", "86c436bd67ad", _delete_database
    )
    _replace_handler("AWS::RDS::DBInstance", "delete", _delete_database)
    _original.create_log_group = replace_function(provisioners, "_cwlogs_create", "6e18ae6e4373", _create_log_group)
    _replace_handler("AWS::Logs::LogGroup", "create", _create_log_group)
    _original.deliver_response = replace_function(
        custom_resource, "deliver_response", "4f864c27b849", _deliver_response
    )
    _original.roll_back_operation = replace_function(
        stacks, "_roll_back_operation", "3464033d8f28", _roll_back_operation
    )
    handlers._roll_back_operation = _roll_back_operation
