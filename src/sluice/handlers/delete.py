"""DELETE /v1/{collection}/{id}: a write that leaves a tombstone; the item need not exist yet."""

from sluice.api.function import api_function
from sluice.api.problems import invalid
from sluice.api.requests import Request
from sluice.api.responses import Response
from sluice.ids import id_fault
from sluice.writes.accept import accept, prepare, writable

prepare()


def delete_item(request: Request) -> Response:
    resource = writable(request)
    if fault := id_fault(resource, request.item_id):
        raise invalid("id", fault, 400)
    return accept(resource, request.item_id, request.caller, None)


handle = api_function("delete", delete_item)
