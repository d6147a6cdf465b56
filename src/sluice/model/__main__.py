"""Check the resource classes: `python -m sluice.model check`, or `validate COLLECTION` for lines of JSON.

Both end with exit code 1 when something is wrong. `check` prints a line for each fault.
"""

import json
import sys
from pathlib import Path

from sluice.model.resource import describe_invalid_id, load_resources
from sluice.model.resource_faults import find_resource_faults, validate_item

MAX_REPORTED_LINES = 20


def check_classes() -> int:
    """Print the fault of each faulty resource class."""
    faults = find_resource_faults(Path(__file__).resolve().parents[2] / "resources")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


def validate_lines(collection: str) -> int:
    """Validate the lines of standard input. Print the number and the fault of the first faulty ones, in JSON."""
    resource = load_resources()[collection]
    count = 0
    for number, line in enumerate(sys.stdin.buffer, 1):
        fault = validate_item(resource, line)
        if fault is None and resource.key:
            item_id = str(json.loads(line)[resource.key])
            if described := describe_invalid_id(resource, item_id):
                fault = f"{resource.key}: {described}"
        if fault:
            count += 1
            if count <= MAX_REPORTED_LINES:
                print(json.dumps([number, fault]))
    return 1 if count else 0


def main(words: list[str]) -> int:
    """Run the command."""
    match words:
        case ["check"]:
            return check_classes()
        case ["validate", collection]:
            return validate_lines(collection)
    print("usage: python -m sluice.model check | validate COLLECTION", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
