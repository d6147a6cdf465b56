"""POST /v1/{collection}: write a new item; the service chooses the id, or takes it from the natural key."""

from sluice.api.function import api_function
from sluice.api.problems import invalid
from sluice.api.requests import Caller, Request
from sluice.api.responses import Response
from sluice.ids import derived_id, id_fault, new_id
from sluice.resource import Item, Resource
from sluice.writes.accept import accept, prepare, writable
from sluice.writes.decode import decode_body

LONGEST_IDEMPOTENCY_KEY = 255

prepare()


def post_item(request: Request) -> Response:
    resource = writable(request)
    item = decode_body(request, resource)
    item_id = _id(resource, item, request.caller, request.headers.get("idempotency-key", ""))
    return accept(resource, item_id, request.caller, item, f"{resource.collection}/")


def _id(resource: Resource, item: Item, caller: Caller, idempotency_key: str) -> str:
    if resource.key:
        item_id = str(getattr(item, resource.key))
        if fault := id_fault(resource, item_id):
            raise invalid(resource.key, fault)
        return item_id
    if len(idempotency_key) > LONGEST_IDEMPOTENCY_KEY:
        raise invalid("Idempotency-Key", f"Expected at most {LONGEST_IDEMPOTENCY_KEY} characters", 400)
    if idempotency_key:
        return derived_id(caller.subject, resource.collection, idempotency_key)
    return new_id()


handle = api_function("post", post_item)
