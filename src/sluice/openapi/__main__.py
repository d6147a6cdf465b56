"""Write the OpenAPI document to standard output.

Usage: python -m sluice.openapi [--server URL] [--sign-in URL] [--client-keys]
"""

import argparse
import sys

from sluice.model.resource import load_resources
from sluice.openapi.document import create_document, encode_document


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sluice.openapi", description="Write the OpenAPI document.")
    parser.add_argument("--server", default="..", metavar="URL", help="the service's address (ApiUrl)")
    parser.add_argument(
        "--sign-in", default="", metavar="URL", help="where tokens are issued (TokenUrl without /oauth2/token)"
    )
    parser.add_argument("--client-keys", action="store_true", help="for a stack with ClientKeys=required")
    arguments = parser.parse_args()
    document = create_document(
        list(load_resources().values()),
        arguments.sign_in,
        arguments.server,
        needs_client_keys=arguments.client_keys,
    )
    sys.stdout.buffer.write(encode_document(document, indent=2) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
