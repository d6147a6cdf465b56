"""What was read of a stack, made into what enforces it."""

from dataclasses import dataclass
from typing import Any

from local.edge.deployed import Deployed
from local.edge.distribution import Distribution, distribution
from local.edge.messages import Response
from local.edge.rates import Rates
from local.edge.refusal import NotUnderstood
from local.edge.stage_side import Stage
from local.edge.web_acl import WebAcl


@dataclass(frozen=True)
class Configuration:
    distribution: Distribution
    edge_acl: WebAcl | None
    stage: Stage


def configuration(found: Deployed, rates: Rates) -> Configuration:
    """Raises NotUnderstood for whatever of it could not be enforced."""
    made = distribution(found.distribution, found.policies)
    astray = {behaviour.origin.domain for behaviour in made.behaviours if behaviour.origin.api != found.api}
    if astray:
        raise NotUnderstood(f"the origin {', '.join(astray)} is not the stack's API")
    return Configuration(
        made,
        WebAcl(found.edge_acl, rates) if found.edge_acl else None,
        Stage(
            found.api, found.stage, WebAcl(found.stage_acl, rates) if found.stage_acl else None, _refused(found.refused)
        ),
    )


def _refused(given: dict[str, Any]) -> Response:
    body = (given.get("responseTemplates") or {}).get("application/json") or '{"message":"Forbidden"}'
    headers = [("content-type", "application/json"), ("x-amzn-errortype", "ForbiddenException")]
    for name, value in (given.get("responseParameters") or {}).items():
        headers = [
            pair for pair in headers if pair[0] != (named := name.removeprefix("gatewayresponse.header.").lower())
        ]
        headers.append((named, str(value).strip("'")))
    return Response(int(given.get("statusCode") or 403), headers, body.encode())
