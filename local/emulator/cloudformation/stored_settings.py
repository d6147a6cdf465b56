"""Gap: MiniStack does not store all settings of a stage and of a web ACL, so the edge cannot read what was deployed.

Of a stage it drops the cache and the access log. Of a web ACL it drops the body limits and the bodies of custom
responses, and it stores the rules in CloudFormation's form instead of the API's.
"""

import base64
from types import SimpleNamespace
from typing import Any

from ministack.services import apigateway_v1, waf
from ministack.services.cloudformation import provisioners

from local.emulator.cloudformation.resource_types import Properties
from local.emulator.patching import replace_function

_original = SimpleNamespace()

ACL_SETTINGS = ("AssociationConfig", "CustomResponseBodies")
NUMERIC_FIELDS = {"EvaluationWindowSec", "Limit", "Priority", "ResponseCode", "Size"}


def _create_stage(logical_id: str, props: Properties, stack_name: str) -> Any:
    created = _original.create_stage(logical_id, props, stack_name)
    _store_stage_settings(props)
    return created


def _update_stage(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Any:
    updated = _original.update_stage(physical_id, old, new, stack_name)
    _store_stage_settings(new)
    return updated


def _store_stage_settings(props: Properties) -> None:
    stage = apigateway_v1._stages_v1.get(props["RestApiId"], {}).get(props["StageName"])
    if stage is not None:
        stage.pop("cacheClusterSize", None)
        stage.update(_convert_cache(props))
        access_log = props.get("AccessLogSetting") or {}
        stage["accessLogSettings"] = {name[0].lower() + name[1:]: value for name, value in access_log.items()}


def _convert_cache(props: Properties) -> Properties:
    """The cache settings of a stage in the form of API Gateway's API."""
    enabled = str(props.get("CacheClusterEnabled", False)).lower() == "true"
    size = {"cacheClusterSize": str(props["CacheClusterSize"])} if enabled and "CacheClusterSize" in props else {}
    status = "AVAILABLE" if enabled else "NOT_AVAILABLE"
    return {"cacheClusterEnabled": enabled, "cacheClusterStatus": status, **size}


def _create_acl(name: str, scope: str, props: Properties) -> Any:
    uid, arn, record = _original.create_acl(name, scope, props)
    _store_acl_settings(record, props)
    return uid, arn, record


def _update_acl(acl: Properties, props: Properties) -> Any:
    updated = _original.update_acl(acl, props)
    _store_acl_settings(acl, props)
    return updated


def _store_acl_settings(record: Properties, props: Properties) -> None:
    record["Rules"] = _convert_rule(props.get("Rules", []))
    for name in ACL_SETTINGS:
        record.pop(name, None)
        if name in props:
            record[name] = props[name]


def _convert_rule(value: Any, name: str = "") -> Any:
    """A rule, or a part of it, in the form of WAF's API: search strings in base64, numbers as int."""
    if isinstance(value, dict):
        return {key: _convert_rule(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [_convert_rule(part) for part in value]
    if name == "SearchString":
        return base64.b64encode(str(value).encode()).decode()
    return int(value) if name in NUMERIC_FIELDS else value


def patch() -> None:
    _original.create_stage = replace_function(provisioners, "_apigw_stage_create", "eb1c734cddf7", _create_stage)
    _original.update_stage = replace_function(provisioners, "_apigw_stage_update", "6d98ef2a9198", _update_stage)
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Stage"] |= {"create": _create_stage, "update": _update_stage}
    _original.create_acl = replace_function(waf, "create_web_acl_record", "072671f23a93", _create_acl)
    _original.update_acl = replace_function(waf, "update_web_acl_record", "50653ae1c85c", _update_acl)
