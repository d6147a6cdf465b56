"""PUT /v1/{collection}/{id}: write an item under an id that the client names."""

from sluice.api.function import api_function
from sluice.api.problems import invalid
from sluice.api.requests import Request
from sluice.api.responses import Response
from sluice.ids import id_fault
from sluice.writes.accept import accept, prepare, writable
from sluice.writes.decode import decode_body

prepare()


def put_item(request: Request) -> Response:
    resource = writable(request)
    if fault := id_fault(resource, request.item_id):
        raise invalid("id", fault, 400)
    item = decode_body(request, resource)
    if resource.key and getattr(item, resource.key) != request.item_id:
        raise invalid(resource.key, "Expected the same value as the id in the path")
    return accept(resource, request.item_id, request.caller, item)


handle = api_function("put", put_item)
