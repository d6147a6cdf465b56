"""Gap: a stage's access log is dropped. Here each request writes a line to it, in the stage's format."""

import re
import time
from typing import Any

from local.emulator.functions.logs import append_lines

STREAM = "access"
# Nothing stands between the emulator and its clients.
SOURCE_ADDRESS = "127.0.0.1"
_VARIABLE = re.compile(r"\$context\.([A-Za-z][A-Za-z0-9_.]*)")


def write_line(request: dict[str, Any], status: int, body: bytes, error_type: str = "") -> None:
    """Write the line of a request after its response. As on AWS, a variable without a value is a hyphen."""
    settings = (request["stage"] or {}).get("accessLogSettings") or {}
    group = settings.get("destinationArn", "").partition(":log-group:")[2].removesuffix(":*")
    if group:
        values = _collect_values(request, status, body, error_type)
        line = _VARIABLE.sub(lambda match: str(values.get(match[1], "") or "-"), settings["format"])
        append_lines(group, STREAM, [line])


def _collect_values(request: dict[str, Any], status: int, body: bytes, error_type: str) -> dict[str, object]:
    milliseconds = round((time.time() - request["started"]) * 1000)
    return {
        "requestId": request["request_id"],
        "extendedRequestId": request["request_id"],
        "requestTimeEpoch": round(request["started"] * 1000),
        "httpMethod": request["method"],
        "path": request["path"],
        "resourcePath": request["resource_path"],
        "status": status,
        "identity.sourceIp": SOURCE_ADDRESS,
        "responseLength": len(body),
        "responseLatency": milliseconds,
        "error.responseType": error_type,
        **{f"authorizer.claims.{name}": value for name, value in request.get("claims", {}).items()},
    }
