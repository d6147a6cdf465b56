"""Start the edge of a stack: python -m local.edge --emulator URL --stack NAME --port N --stage-port N."""

import argparse
import sys

import boto3
from botocore.config import Config

from local.edge.edge import Edge
from local.edge.server import run_servers


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.edge",
        description="Run CloudFront and the web ACLs of a stack that is deployed to the emulator, on 127.0.0.1 only.",
    )
    parser.add_argument("--emulator", required=True, help="URL of the emulator")
    parser.add_argument("--stack", required=True, help="stack whose configuration the edge enforces")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--port", type=int, required=True, help="port of the distribution")
    parser.add_argument("--stage-port", type=int, required=True, help="port of the API's own address")
    return parser.parse_args()


def main() -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    arguments = _parse_arguments()
    session = boto3.Session("test", "test", region_name=arguments.region)
    config = Config(connect_timeout=2, read_timeout=10, retries={"max_attempts": 0}, proxies={})
    clients = {
        service: session.client(service, endpoint_url=arguments.emulator, config=config)
        for service in ("cloudformation", "cloudfront", "wafv2", "apigateway", "cloudwatch")
    }
    edge = Edge(arguments.emulator, clients.__getitem__, arguments.stack, arguments.region)
    run_servers(edge, arguments.port, arguments.stage_port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
