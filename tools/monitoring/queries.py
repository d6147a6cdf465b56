"""The saved queries of CloudWatch Logs Insights. What is in capitals is to be replaced before a query runs.

The fields of the logs: docs/adr/0110-join-all-logs-by-the-request-id.md. JSON lines are split into fields by
CloudWatch: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
"""

from dataclasses import dataclass

_API_LOGS = ("PostFunctionLog", "PutFunctionLog", "DeleteFunctionLog", "GetFunctionLog")


@dataclass(frozen=True, kw_only=True)
class Query:
    """A saved query. `name` is its logical id, `answers` says what for, `log_groups` are logical ids of log groups."""

    name: str
    title: str
    answers: str
    log_groups: tuple[str, ...]
    text: str


QUERIES = (
    Query(
        name="RequestQuery",
        title="Follow one request",
        answers=(
            "what became of the request with this `x-amzn-RequestId`: its line in the access log, the function's line, "
            "and each load that contains a write of it or rejected it"
        ),
        log_groups=("ApiLog", *_API_LOGS, "LoadFunctionLog"),
        text="""\
# Replace REQUEST_ID: x-amzn-RequestId of the response.
fields @timestamp, @log, message, status, versions, version, function, lambda_request_id, problem, error, @message
| filter @message like "REQUEST_ID"
| sort @timestamp asc
| limit 200""",
    ),
    Query(
        name="SlowestLoadsQuery",
        title="Slowest loads",
        answers="which batches took longest to load, with their size, and how late their oldest write was",
        log_groups=("LoadFunctionLog",),
        text="""\
fields @timestamp, duration_ms, lag_ms, applied, stale, rejected, batch, lambda_request_id
| filter message = "load done" and status = "loaded"
| sort duration_ms desc
| limit 50""",
    ),
    Query(
        name="ClientErrorsQuery",
        title="Errors of one client",
        answers="which requests of an address were refused or failed, and why",
        log_groups=_API_LOGS,
        text="""\
# Replace CLIENT_ADDRESS: the client's IP address, as the edge saw it.
fields @timestamp, status, function, collection, problem, error, request_id, edge_request_id
| filter client_address = "CLIENT_ADDRESS" and status >= 400
| sort @timestamp desc
| limit 200""",
    ),
    Query(
        name="FailuresQuery",
        title="What fails most",
        answers="which errors the functions met, by function, class and place in the code",
        log_groups=(*_API_LOGS, "TransformFunctionLog", "LoadFunctionLog", "PlanFunctionLog", "HealthCheckFunctionLog"),
        text="""\
filter level = "ERROR"
| stats count(*) as lines, max(@timestamp) as latest by function, error, code, place
| sort lines desc
| limit 50""",
    ),
)
