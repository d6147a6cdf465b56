"""Writes the contract to standard output: python -m sluice.contract [--server URL] [--sign-in URL] [--client-keys]."""

import argparse
import sys

from sluice.contract.document import document
from sluice.contract.serving import encoded
from sluice.registry import resources


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sluice.contract", description="Write the OpenAPI document.")
    parser.add_argument("--server", default="..", metavar="URL", help="the service's address (ApiUrl)")
    parser.add_argument(
        "--sign-in", default="", metavar="URL", help="where tokens are issued (TokenUrl, less /oauth2/token)"
    )
    parser.add_argument("--client-keys", action="store_true", help="for a stack with ClientKeys=required")
    given = parser.parse_args()
    made = document(list(resources().values()), given.sign_in, given.server, keys=given.client_keys)
    sys.stdout.buffer.write(encoded(made, indent=2) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
