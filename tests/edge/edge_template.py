"""A stack with the edge of the project's own template before two functions of a test's, for what has an owner and for
what everybody may read: everything of the template that the edge and its API need, and nothing of the database."""

import copy
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.template.translate import TEMPLATE, read

Template = dict[str, Any]

ROOTS = (
    "Distribution",
    "ApiAclAssociation",
    "GetFunction",
    "OpenApiFunction",
    "UserPool",
    "PersonClient",
    "ClientPlan",
    "OpenKeyInPlan",
)
OUTPUTS = ("DistributionId", "ApiId", "StageName", "UserPoolId", "PersonClientId", "ClientPlanId")
# How the service answers: who asks sees the own in a private collection, everybody the same in a shared one.
GET_CODE = """
    import json, os, time

    def handle(event, context):
        if os.path.exists({away!r}):
            return {{"statusCode": 503, "headers": {{"Cache-Control": "no-store"}}, "body": "away"}}
        private = event["pathParameters"]["collection"] == "bookings"
        asked = {{"path": event["path"], "query": event["queryStringParameters"] or {{}}, "moment": time.time_ns()}}
        headers = event["headers"]
        if private:
            kept = "private, no-cache, stale-if-error=0"
            asked["owner"] = event["requestContext"]["authorizer"]["claims"]["sub"]
        else:
            kept = "public, max-age=0, stale-if-error=86400"
        if {kept!r}:
            kept = {kept!r}
        return {{"statusCode": 200, "headers": {{"Cache-Control": kept, "ETag": '"1"'}}, "body": json.dumps(asked)}}
"""
PUBLIC_CODE = """
    def handle(event, context):
        return {"statusCode": 200, "headers": {"Cache-Control": "no-store"}, "body": "for everybody"}
"""


def build_edge_template(away: Path, kept: str = "", **parameters: str) -> Template:
    """The template; the function is away while that file exists, and answers with `kept` as Cache-Control if given."""
    whole = read(TEMPLATE)
    resources = whole["Resources"]
    for function, code in (
        ("GetFunction", GET_CODE.format(away=str(away), kept=kept)),
        ("OpenApiFunction", PUBLIC_CODE),
    ):
        resources[function]["Properties"] = {
            "Runtime": "python3.13",
            "Handler": "index.handle",
            "InlineCode": textwrap.dedent(code),
            "Events": resources[function]["Properties"]["Events"],
        }
        resources[function].pop("DependsOn", None)
    for name, value in parameters.items():
        whole["Parameters"][name]["Default"] = value
    return {
        "Parameters": whole["Parameters"],
        "Mappings": whole.get("Mappings", {}),
        "Conditions": whole["Conditions"],
        "Resources": {name: copy.deepcopy(resources[name]) for name in _needed(resources)},
        "Outputs": {name: whole["Outputs"][name] for name in OUTPUTS},
    }


def _needed(resources: Template) -> list[str]:
    found: list[str] = []
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.append(name)
            waiting += [other for other in _named(resources[name]) if other in resources]
    return sorted(found)


def _named(part: Any) -> Iterator[str]:
    """Names that a part of the template refers to, among other words."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in {"Ref", "DependsOn"}:
                yield from [value] if isinstance(value, str) else value
            elif key == "Fn::GetAtt":
                yield value[0] if isinstance(value, list) else value.partition(".")[0]
            elif key == "Fn::Sub":
                yield from re.findall(r"\$\{([A-Za-z0-9]+)", json.dumps(value))
            yield from _named(value)
    elif isinstance(part, list):
        for item in part:
            yield from _named(item)
