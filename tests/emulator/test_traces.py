"""Gap: MiniStack has no X-Ray, and a function behind API Gateway does not continue its client's trace."""

import json
import socket
import time
import urllib.request

import pytest
from botocore.exceptions import ClientError

from testkit.emulator_harness import Emulator, build_function, deploy_stack, wait_until

TRACE = "1-5759e988-bd862e3fe1be46a994272793"


def send_document(emulator: Emulator, document: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b'{"format": "json", "version": 1}\n' + document, ("127.0.0.1", emulator.port))


def list_traces(emulator: Emulator, expression: str) -> list[str]:
    now = time.time()
    answer = emulator.client("xray").get_trace_summaries(
        StartTime=now - 60, EndTime=now + 60, FilterExpression=expression
    )
    return [summary["Id"] for summary in answer["TraceSummaries"]]


def test_a_trace_is_found_by_an_annotation_of_one_of_its_documents(emulator: Emulator) -> None:
    first = {"trace_id": TRACE, "id": "a" * 16, "start_time": time.time(), "annotations": {"request_id": "r-1"}}
    send_document(emulator, b"no document")
    send_document(emulator, json.dumps(first).encode())
    send_document(emulator, json.dumps({**first, "id": "b" * 16, "annotations": {}}).encode())
    assert wait_until(lambda: list_traces(emulator, 'annotation.request_id = "r-1"')) == [TRACE]
    assert list_traces(emulator, 'annotation.request_id = "r-2"') == []
    traces = emulator.client("xray").batch_get_traces(TraceIds=[TRACE, "1-00000000-0"])
    [trace] = traces["Traces"]
    assert [json.loads(segment["Document"])["id"] for segment in trace["Segments"]] == ["a" * 16, "b" * 16]
    assert traces["UnprocessedTraceIds"] == ["1-00000000-0"]


def test_another_filter_is_refused_by_name(emulator: Emulator) -> None:
    with pytest.raises(ClientError, match="Not supported: responsetime > 5"):
        list_traces(emulator, "responsetime > 5")


def test_a_function_behind_the_api_continues_the_trace_of_its_client(emulator: Emulator) -> None:
    code = """
        import json, os
        def handle(event, context):
            values = [os.environ[name] for name in ("_X_AMZN_TRACE_ID", "AWS_XRAY_DAEMON_ADDRESS")]
            return {"statusCode": 200, "body": json.dumps(values)}
    """
    function = build_function(code, Tracing="Active")
    function["Properties"]["Events"] = {"Any": {"Type": "Api", "Properties": {"Method": "GET", "Path": "/trace"}}}
    template = {"Resources": {"Function": function}, "Outputs": {"Api": {"Value": {"Ref": "ServerlessRestApi"}}}}
    api = deploy_stack(emulator, "traces", template)["Api"]
    request = urllib.request.Request(f"{emulator.url}/_aws/execute-api/{api}/Prod/trace")
    request.add_header("X-Amzn-Trace-Id", f"Root={TRACE};Sampled=1")
    with urllib.request.urlopen(request, timeout=30) as response:
        header, daemon = json.load(response)
    fields = dict(part.split("=") for part in header.split(";"))
    assert (fields["Root"], fields["Sampled"], len(fields["Parent"])) == (TRACE, "1", 16)
    assert daemon == f"127.0.0.1:{emulator.port}"
