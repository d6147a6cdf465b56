"""Write api.json, what API Gateway must know of the resource classes: `python -m tools.api_definition`.

template.yaml includes the file. `sam build` (by the Makefile of a layer), `make build` and `make up` write it, so it is
not checked in. This needs msgspec and no other library of the service.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

from sluice.model.list_parameters import QUERY_PARAMETER_PREFIX, list_parameter_names
from sluice.model.resource import Resource, load_resources

API_DEFINITION = Path(__file__).resolve().parents[1] / "api.json"
MAX_PARAMETERS = 800
"""The most query parameters of all lists. CloudFormation invokes the migration with the list twice, before and after
the change, in an event of at most 256 KB."""

# The cache key of a list besides its query: the path; always the caller, because one path serves shared and private
# collections; and the version that the client has.
_KEY = (
    "method.request.path.collection",
    "method.request.header.Authorization",
    "method.request.header.x-api-key",
    "method.request.header.If-None-Match",
)


class TooManyParametersError(Exception):
    """The lists can be asked more than fits. The message is a sentence with the way out."""


def render_api_definition(resources: Iterable[Resource]) -> str:
    """The text of api.json for these resources: the request parameters of a list, which are its cache key.

    API Gateway ignores query parameters that are not declared: a request would get the list of another filter. Raises
    TooManyParametersError.
    """
    resources = list(resources)
    names = {*list_parameter_names(resources), "version"}
    if len(names) > MAX_PARAMETERS:
        largest = max(resources, key=lambda resource: len(resource.indexes))
        raise TooManyParametersError(
            f"The lists of {len(resources)} resources can be asked by {len(names):,} query parameters, and a stack "
            f"takes {MAX_PARAMETERS:,}: each indexed field gives five. Remove indexes, for example of "
            f"{largest.collection}, or deploy a part of the resources as a stack of its own."
        )
    keys = (*_KEY, *(f"{QUERY_PARAMETER_PREFIX}{name}" for name in sorted(names)))
    entries = [{key: {"Required": key.startswith("method.request.path."), "Caching": True}} for key in keys]
    lines = ",\n".join(f"    {json.dumps(entry)}" for entry in entries)
    return f'{{\n  "RequestParameters": [\n{lines}\n  ]\n}}\n'


def write_api_definition() -> bool:
    """Write api.json from the resource classes; returns whether it changed. Raises what declaring a class raises, and
    TooManyParametersError."""
    text = render_api_definition(load_resources().values())
    if API_DEFINITION.exists() and API_DEFINITION.read_text() == text:
        return False
    # Replaced as a whole: another build may read it.
    with NamedTemporaryFile("w", dir=API_DEFINITION.parent, prefix=".api-", suffix=".json", delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(API_DEFINITION)
    return True


def main() -> int:
    try:
        write_api_definition()
    except (TooManyParametersError, TypeError) as error:
        # A class that the service cannot serve is a TypeError, whose message names the class.
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
