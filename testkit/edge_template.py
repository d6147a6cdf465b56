"""A small stack: the edge of the project's own template, with two functions of the test instead of the service.

It has every resource of the template that the edge and its API need, and no database.
"""

import copy
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testkit.translate import TEMPLATE, read

Template = dict[str, Any]

ROOTS = (
    "Distribution",
    "ApiAclAssociation",
    "GetFunction",
    "OpenApiFunction",
    "StatusFunction",
    "UserPool",
    "PersonClient",
    "GetFromApi",
    "OpenApiFromApi",
    "StatusFromApi",
    "ClientPlan",
    "OpenKeyInPlan",
)
OUTPUTS = ("DistributionId", "ApiId", "StageName", "UserPoolId", "PersonClientId", "ClientPlanId")
# Like the service, it responds with the caller's own item in a private collection, and with the same item to everybody
# in a shared one.
GET_CODE = """
    import json, os, time

    def handle(event, context):
        if os.path.exists({outage_file!r}):
            return {{"statusCode": 503, "headers": {{"Cache-Control": "no-store"}}, "body": "unavailable"}}
        if {{name.lower(): value for name, value in event["headers"].items()}}.get("if-none-match") == '"1"':
            return {{"statusCode": 304, "headers": {{"ETag": '"1"'}}, "body": ""}}
        private = event["resource"].startswith("/v1/bookings")
        body = {{"path": event["path"], "query": event["queryStringParameters"] or {{}}, "time_ns": time.time_ns()}}
        if private:
            cache_control = "private, no-cache, stale-if-error=0"
            body["owner"] = event["requestContext"]["authorizer"]["claims"]["sub"]
        else:
            cache_control = "public, max-age=0, stale-if-error=86400"
        headers = {{"Cache-Control": {cache_control!r} or cache_control, "ETag": '"1"'}}
        return {{"statusCode": 200, "headers": headers, "body": json.dumps(body)}}
"""
PUBLIC_CODE = """
    def handle(event, context):
        return {"statusCode": 200, "headers": {"Cache-Control": "no-store"}, "body": "for everybody"}
"""


def build_edge_template(outage_file: Path, cache_control: str = "", **parameters: str) -> Template:
    """Build the template. While `outage_file` exists, the function responds 503. `cache_control` replaces its
    Cache-Control header."""
    template = read(TEMPLATE)
    resources = template["Resources"]
    for function, code in (
        ("GetFunction", GET_CODE.format(outage_file=str(outage_file), cache_control=cache_control)),
        ("OpenApiFunction", PUBLIC_CODE),
        ("StatusFunction", PUBLIC_CODE),
    ):
        resources[function]["Properties"] = {
            "Runtime": "python3.13",
            "Handler": "index.handle",
            "InlineCode": textwrap.dedent(code),
        }
        resources[function].pop("DependsOn", None)
    definition = resources["Api"]["Properties"]["DefinitionBody"]
    definition["paths"] = {
        path: {"get": methods["get"]} for path, methods in definition["paths"].items() if "get" in methods
    }
    for name, value in parameters.items():
        template["Parameters"][name]["Default"] = value
    needed = {name: copy.deepcopy(resources[name]) for name in _list_needed_resources(resources)}
    outputs = {name: template["Outputs"][name] for name in OUTPUTS}
    words = {*_list_words(needed), *_list_words(outputs)}
    return {
        # CloudFormation accepts 51,200 bytes without an upload, so the parameters come without their descriptions, and
        # what nothing uses is left out.
        "Parameters": {
            name: {key: parameter[key] for key in ("Type", "Default") if key in parameter}
            for name, parameter in template["Parameters"].items()
        },
        "Mappings": {name: mapping for name, mapping in template.get("Mappings", {}).items() if name in words},
        "Conditions": _select_conditions(template["Conditions"], words),
        "Resources": needed,
        "Outputs": outputs,
    }


def _list_needed_resources(resources: Template) -> list[str]:
    needed: list[str] = []
    pending = list(ROOTS)
    while pending:
        name = pending.pop()
        if name not in needed:
            needed.append(name)
            pending += [other for other in _find_references(resources[name]) if other in resources]
    return sorted(needed)


def _select_conditions(conditions: Template, words: set[str]) -> Template:
    """The conditions that are among the words, and those that they refer to."""
    selected: Template = {}
    while more := {name: conditions[name] for name in conditions.keys() & words - selected.keys()}:
        selected |= more
        words = words | set(_list_words(more))
    return selected


def _list_words(part: Any) -> Iterator[str]:
    """All texts in a part of the template that are values."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict | list):
        for item in part.values() if isinstance(part, dict) else part:
            yield from _list_words(item)


def _find_references(part: Any) -> Iterator[str]:
    """The names that a part of the template refers to, and other words."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in {"Ref", "DependsOn"}:
                yield from [value] if isinstance(value, str) else value
            elif key == "Fn::GetAtt":
                yield value[0] if isinstance(value, list) else value.partition(".")[0]
            elif key == "Fn::Sub":
                yield from re.findall(r"\$\{([A-Za-z0-9]+)", json.dumps(value))
            yield from _find_references(value)
    elif isinstance(part, list):
        for item in part:
            yield from _find_references(item)
