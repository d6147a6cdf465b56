"""Gap: of a stage the cache was dropped, of a web ACL its body limits and the bodies of its answers, and its rules were
kept as CloudFormation has them and not as the API gives them: what was deployed can be read back.
"""

import base64
from types import SimpleNamespace
from typing import Any

from ministack.services import apigateway_v1, waf
from ministack.services.cloudformation import provisioners

from local.emulator.expectation import replace

Properties = dict[str, Any]

_before = SimpleNamespace()

ACL = ("AssociationConfig", "CustomResponseBodies")
NUMBERS = {"EvaluationWindowSec", "Limit", "Priority", "ResponseCode", "Size"}


def _cache(props: Properties) -> Properties:
    enabled = str(props.get("CacheClusterEnabled", False)).lower() == "true"
    size = {"cacheClusterSize": str(props["CacheClusterSize"])} if enabled and "CacheClusterSize" in props else {}
    status = "AVAILABLE" if enabled else "NOT_AVAILABLE"
    return {"cacheClusterEnabled": enabled, "cacheClusterStatus": status, **size}


def _remember(props: Properties) -> None:
    stage = apigateway_v1._stages_v1.get(props["RestApiId"], {}).get(props["StageName"])
    if stage is not None:
        stage.pop("cacheClusterSize", None)
        stage.update(_cache(props))


def _create_stage(logical_id: str, props: Properties, stack_name: str) -> Any:
    made = _before.create_stage(logical_id, props, stack_name)
    _remember(props)
    return made


def _update_stage(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Any:
    made = _before.update_stage(physical_id, old, new, stack_name)
    _remember(new)
    return made


def _create_acl(name: str, scope: str, props: Properties) -> Any:
    uid, arn, record = _before.create_acl(name, scope, props)
    _keep(record, props)
    return uid, arn, record


def _update_acl(acl: Properties, props: Properties) -> Any:
    made = _before.update_acl(acl, props)
    _keep(acl, props)
    return made


def _as_given(value: Any, name: str = "") -> Any:
    """A rule, or a part of one, as the API gives it: what is looked for as bytes, numbers as numbers."""
    if isinstance(value, dict):
        return {key: _as_given(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [_as_given(part) for part in value]
    if name == "SearchString":
        return base64.b64encode(str(value).encode()).decode()
    return int(value) if name in NUMBERS else value


def _keep(record: Properties, props: Properties) -> None:
    record["Rules"] = _as_given(props.get("Rules", []))
    for name in ACL:
        record.pop(name, None)
        if name in props:
            record[name] = props[name]


def patch() -> None:
    _before.create_stage = replace(provisioners, "_apigw_stage_create", "eb1c734cddf7", _create_stage)
    _before.update_stage = replace(provisioners, "_apigw_stage_update", "6d98ef2a9198", _update_stage)
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Stage"] |= {"create": _create_stage, "update": _update_stage}
    _before.create_acl = replace(waf, "create_web_acl_record", "072671f23a93", _create_acl)
    _before.update_acl = replace(waf, "update_web_acl_record", "50653ae1c85c", _update_acl)
