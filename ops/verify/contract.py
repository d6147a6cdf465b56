"""Choose a collection of the deployment for the verification's own items, from its OpenAPI document."""

import copy
from dataclasses import dataclass
from typing import Any

from ops.verify.check import CheckFailed


@dataclass(frozen=True)
class Collection:
    """A collection. `key` is the field that is the id of its items, empty when the service chooses the ids.

    `examples` are items that the service accepts.
    """

    name: str
    is_private: bool
    key: str
    examples: tuple[dict[str, Any], ...]

    @property
    def path(self) -> str:
        return f"/v1/{self.name}"

    def copy_example(self) -> dict[str, Any]:
        """A copy of the first example."""
        return copy.deepcopy(self.examples[0])


def list_collections(document: Any) -> list[Collection]:
    """The collections of an OpenAPI document that have an example, the most suitable ones first.

    In a private collection nobody else sees the item. Where the service chooses the id, it cannot be somebody's item.
    """
    collections = []
    for tag in document.get("tags", []):
        post = document["paths"].get(f"/v1/{tag['name']}", {}).get("post")
        if post is None:
            continue
        content = post["requestBody"]["content"]["application/json"]
        examples = tuple(example["value"] for example in content.get("examples", {}).values())
        if "x-key" not in tag:
            raise CheckFailed("The contract is of an older version.", "Deploy the current version.")
        if examples:
            collections.append(Collection(tag["name"], tag["x-private"], tag["x-key"] or "", examples))
    return sorted(collections, key=lambda collection: (bool(collection.key), not collection.is_private))


def choose_collections(document: Any, name: str | None) -> list[Collection]:
    """The collections to try, in order: the one of this name, or all. Raises CheckFailed when there is none."""
    collections = list_collections(document)
    chosen = [collection for collection in collections if name in {None, collection.name}]
    if chosen:
        return chosen
    names = ", ".join(collection.name for collection in collections)
    if name is None or not names:
        raise CheckFailed("No collection of the contract has an example.", "Add `examples` to a resource class.")
    raise CheckFailed(f"There is no collection {name} with an example.", f"Give --collection with one of {names}.")
