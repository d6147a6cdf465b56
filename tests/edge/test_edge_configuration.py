"""What the edge does with a configuration that it reads and cannot make anything of."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from local.edge.edge import Edge
from tests.edge.acls import build_request

OUTPUTS = {"DistributionId": "E1", "ApiId": "abc", "StageName": "live"}
SHOWN = [{"OutputKey": name, "OutputValue": value} for name, value in OUTPUTS.items()]


def _clients(distribution: dict[str, Any]) -> Any:
    """Services that answer with that distribution's configuration, and no more."""
    parts = {
        "cloudformation": SimpleNamespace(describe_stacks=lambda **_: {"Stacks": [{"Outputs": SHOWN}]}),
        "cloudfront": SimpleNamespace(get_distribution_config=lambda **_: {"DistributionConfig": distribution}),
    }
    return parts.__getitem__


@pytest.mark.parametrize("distribution", [{}, {"DefaultCacheBehavior": None}, {"DefaultCacheBehavior": []}])
def test_what_has_not_the_form_that_is_known_is_refused_and_not_passed_over(distribution: dict[str, Any]) -> None:
    edge = Edge("http://127.0.0.1:1", _clients(distribution), "stack", "us-east-1")
    asyncio.run(edge.refresh_configuration())
    assert edge.problem.startswith("unsupported configuration: ")
    assert asyncio.run(edge.handle_viewer_request(build_request())).status == 503
