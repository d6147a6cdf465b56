"""Write what API Gateway must know of the resource classes: `python -m tools.api_definition`.

template.yaml includes both files: api.json is the API, api-digests.json a property of the migration, which compares it
with the classes. `sam build` (by the Makefile of a layer), `make build` and `make up` write them, so
they are not checked in. This needs msgspec and python-ulid, and no other library of the service.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

from sluice.model.api_digest import digest_collections
from sluice.model.canary_item import load_served_resources
from sluice.model.resource import Resource
from tools.api_definition.caching import declare_cache_key, list_cached_paths
from tools.api_definition.resource import create_api, create_method_settings
from tools.api_definition.routes import create_definition, list_api_resources

_REPOSITORY = Path(__file__).resolve().parents[2]
API_DEFINITION = _REPOSITORY / "api.json"
API_DIGESTS = _REPOSITORY / "api-digests.json"

MAX_API_RESOURCES = 300
"""Resources (parts of paths) in an API: AWS's default, which it raises for one API on request."""
MAX_COLLECTIONS = 73
"""How many collections these are, with the canary's: each has four, and six are fixed."""
MAX_DEFINITION_BYTES = 600_000
"""Bytes of api.json. CloudFormation takes a processed template of 1 MB; the rest of the stack may have 400,000."""


class ApiTooLargeError(Exception):
    """The routes are more than fits. The message is a sentence with the way out."""


def render_api_definition(resources: Iterable[Resource]) -> str:
    """The text of api.json for these resources: the resource Api of the template.

    Raises ApiTooLargeError.
    """
    resources = list(resources)
    definition = create_definition(resources)
    paths = definition["paths"]
    cached = [path for resource in resources if not resource.private for path in list_cached_paths(resource)]
    for path in cached:
        declare_cache_key(paths[path]["get"])
    settings = [
        create_method_settings("/*", "*", is_cached=False),
        *(create_method_settings(path, "GET", is_cached=True) for path in cached),
    ]
    text = json.dumps(create_api(definition, settings), separators=(",", ":"))
    _require_fit(resources, paths, text)
    return text


def render_api_digests(resources: Iterable[Resource]) -> str:
    """The text of api-digests.json for these resources."""
    return json.dumps({"ApiDigests": digest_collections(resources)})


def _require_fit(resources: Sequence[Resource], paths: Iterable[str], text: str) -> None:
    """Raise ApiTooLargeError if the quotas of API Gateway or CloudFormation are too small."""
    count, way_out = len(list_api_resources(paths)), "deploy a part of the resource classes as a stack of its own."
    if count > MAX_API_RESOURCES:
        raise ApiTooLargeError(
            f"The routes of {len(resources)} collections need {count:,} resources of API Gateway, and an API has at "
            f"most {MAX_API_RESOURCES}, enough for {MAX_COLLECTIONS} collections: {way_out}"
        )
    if len(text) > MAX_DEFINITION_BYTES:
        largest = max(resources, key=lambda resource: len(resource.indexes))
        raise ApiTooLargeError(
            f"The API definition of {len(resources)} collections has {len(text):,} bytes, and at most "
            f"{MAX_DEFINITION_BYTES:,} fit CloudFormation's template: remove indexes, for example of "
            f"{largest.collection}, or {way_out}"
        )


def write_api_definition() -> bool:
    """Write both files from the resource classes; returns whether one changed. Raises what declaring a class raises,
    and ApiTooLargeError."""
    resources = load_served_resources().values()
    texts = {API_DEFINITION: render_api_definition(resources), API_DIGESTS: render_api_digests(resources)}
    changed = [path for path, text in texts.items() if _replace_file(path, text)]
    return bool(changed)


def _replace_file(path: Path, text: str) -> bool:
    if path.exists() and path.read_text() == text:
        return False
    # Replaced as a whole: another build may read it.
    with NamedTemporaryFile("w", dir=path.parent, prefix=".api-", suffix=".json", delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
    return True


def main() -> int:
    try:
        write_api_definition()
    except (ApiTooLargeError, TypeError) as error:
        # A class that the service cannot serve is a TypeError, whose message names the class.
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
