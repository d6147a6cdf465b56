"""The canary's own resource, and every resource that the service serves: those of the adopting team, and this one.

The canary writes one item every minute and reads it (`sluice.canary.run`). Its collection is served, migrated, loaded
and rebuilt like any other, but it is not in the published contract: it is nobody else's.
"""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from sluice.model.resource import CANARY_COLLECTION, Item, Resource, create_resource, load_resources

CANARY_ITEM_ID = "canary"
"""The id of the only item. Each write overwrites it, so the table does not grow."""


class CanaryItem(Item):
    """The canary's last write."""

    name: Annotated[str, Meta(max_length=32)]
    run: Annotated[str, Meta(max_length=64)]
    """The id of the invocation that wrote it, as in the function's log."""


# Private, so that only the canary reads its item. Of the callers, only the canary's own app client has the scope
# `sluice/canary`, so nobody else can fill the table.
CANARY = create_resource(CanaryItem, CANARY_COLLECTION, key="name", private=True, writers="canary")


def load_served_resources() -> Mapping[str, Resource]:
    """Return every resource that the service serves, by collection: the declared ones, and the canary's."""
    return {**load_resources(), CANARY.collection: CANARY}
