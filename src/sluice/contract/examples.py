"""Answers as the service would give them to the examples of a resource."""

import datetime
from typing import Any

import msgspec

from sluice.resource import Resource
from sluice.versions import moment

Example = dict[str, Any]

VERSIONS = ("01M83TX6AKPEC90XWTBJRZ90MF", "01M83V2Q1ZC3B8N5T4W6Y7X9KD")
IDS = ("01a207ae-9953-7b39-9077-9a5cb1f4828e", "01a207b1-583f-71f1-8a6a-3d48c1d8f1b2")


def id_of(resource: Resource, number: int = 0) -> str:
    if resource.key and resource.examples:
        return str(resource.examples[number % len(resource.examples)][resource.key])
    return (resource.key and f"example-{number + 1}") or IDS[number % len(IDS)]


def items(resource: Resource) -> list[Example]:
    return [_item(resource, number) for number in range(len(resource.examples))]


def page(resource: Resource) -> Example:
    return {"items": items(resource)}


def accepted(resource: Resource, base: str) -> Example:
    version = VERSIONS[0]
    receipt = f"{base}{id_of(resource)}/writes/{version}"
    return {"id": id_of(resource), "version": version, "status": "pending", "receipt": receipt}


def receipts(resource: Resource) -> list[Example]:
    about = {"id": id_of(resource), "version": VERSIONS[0]}
    return [
        {**about, "status": "applied"},
        {**about, "status": "superseded", "superseded_by": VERSIONS[1]},
        {**about, "status": "rejected", "reason": "Data too long for a column"},
    ]


def _item(resource: Resource, number: int) -> Example:
    version = VERSIONS[number % len(VERSIONS)]
    written = moment(version).astimezone(datetime.UTC)
    return {
        "id": id_of(resource, number),
        "version": version,
        "written_at": _builtin(written),
        "data": _as_read(resource, number),
    }


def _as_read(resource: Resource, number: int) -> Example:
    """An example as it comes back: with its defaults, in UTC, with all digits of its decimals."""
    item = resource.decoder.decode(msgspec.json.encode(resource.examples[number]))
    found: Example = _builtin(item)
    for column in resource.columns:
        if column.type.name == "DECIMAL" and found[column.name] is not None:
            found[column.name] = f"{getattr(item, column.name):.{column.type.scale}f}"
    return found


def _builtin(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
