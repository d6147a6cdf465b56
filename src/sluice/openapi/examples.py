"""Example responses, as the service would send them for the examples of a resource."""

import datetime
from typing import Any

import msgspec

from sluice.model.resource import Resource
from sluice.model.versions import version_time

Example = dict[str, Any]

EXAMPLE_VERSIONS = ("01M83TX6AKPEC90XWTBJRZ90MF", "01M83V2Q1ZC3B8N5T4W6Y7X9KD")
EXAMPLE_IDS = ("01a207ae-9953-7b39-9077-9a5cb1f4828e", "01a207b1-583f-71f1-8a6a-3d48c1d8f1b2")


def example_id(resource: Resource, number: int = 0) -> str:
    if resource.key and resource.examples:
        return str(resource.examples[number % len(resource.examples)][resource.key])
    return (resource.key and f"example-{number + 1}") or EXAMPLE_IDS[number % len(EXAMPLE_IDS)]


def example_items(resource: Resource) -> list[Example]:
    return [_example_item(resource, number) for number in range(len(resource.examples))]


def example_page(resource: Resource) -> Example:
    return {"items": example_items(resource)}


def example_accepted(resource: Resource, base_path: str) -> Example:
    version = EXAMPLE_VERSIONS[0]
    receipt = f"{base_path}{example_id(resource)}/writes/{version}"
    return {"id": example_id(resource), "version": version, "status": "pending", "receipt": receipt}


def example_receipts(resource: Resource) -> list[Example]:
    write = {"id": example_id(resource), "version": EXAMPLE_VERSIONS[0]}
    return [
        {**write, "status": "applied"},
        {**write, "status": "superseded", "superseded_by": EXAMPLE_VERSIONS[1]},
        {**write, "status": "rejected", "reason": "Data too long for a column"},
    ]


def _example_item(resource: Resource, number: int) -> Example:
    version = EXAMPLE_VERSIONS[number % len(EXAMPLE_VERSIONS)]
    written_at = version_time(version).astimezone(datetime.UTC)
    return {
        "id": example_id(resource, number),
        "version": version,
        "written_at": _to_builtins(written_at),
        "data": _example_data(resource, number),
    }


def _example_data(resource: Resource, number: int) -> Example:
    """Return an example as a read returns it: with defaults, in UTC, with all digits of decimals."""
    item = resource.decoder.decode(msgspec.json.encode(resource.examples[number]))
    data: Example = _to_builtins(item)
    for column in resource.columns:
        if column.type.name == "DECIMAL" and data[column.name] is not None:
            data[column.name] = f"{getattr(item, column.name):.{column.type.scale}f}"
    return data


def _to_builtins(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
