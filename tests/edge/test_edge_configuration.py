"""A configuration that the edge cannot parse."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from local.edge.edge import Edge
from tests.edge.acls import build_request

OUTPUTS = {"DistributionId": "E1", "ApiId": "abc", "StageName": "live"}
DESCRIBED_OUTPUTS = [{"OutputKey": name, "OutputValue": value} for name, value in OUTPUTS.items()]


def _build_clients(distribution: dict[str, Any]) -> Any:
    """Stub clients of a stack with this distribution."""
    parts = {
        "cloudformation": SimpleNamespace(describe_stacks=lambda **_: {"Stacks": [{"Outputs": DESCRIBED_OUTPUTS}]}),
        "cloudfront": SimpleNamespace(get_distribution_config=lambda **_: {"DistributionConfig": distribution}),
    }
    return parts.__getitem__


@pytest.mark.parametrize("distribution", [{}, {"DefaultCacheBehavior": None}, {"DefaultCacheBehavior": []}])
def test_a_configuration_of_unknown_form_is_rejected(distribution: dict[str, Any]) -> None:
    edge = Edge("http://127.0.0.1:1", _build_clients(distribution), "stack", "us-east-1")
    asyncio.run(edge.refresh_configuration())
    assert edge.problem.startswith("unsupported configuration: ")
    assert asyncio.run(edge.handle_viewer_request(build_request())).status == 503
