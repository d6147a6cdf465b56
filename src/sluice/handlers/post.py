"""POST /v1/{collection}: write a new item, or many; the service chooses the id, or takes it from the natural key."""

from sluice.api.function import api_function
from sluice.api.requests import Request
from sluice.api.responses import Response
from sluice.writes.accept import accept, prepare, writable
from sluice.writes.decode import decode_body
from sluice.writes.lines import MEDIA
from sluice.writes.many import accept_lines
from sluice.writes.naming import idempotency_key, item_id

prepare()


def post(request: Request) -> Response:
    resource = writable(request)
    if request.media == MEDIA:
        return accept_lines(resource, request)
    key = idempotency_key(request)
    item = decode_body(request, resource)
    return accept(resource, item_id(resource, request, key, item), request.caller, item, f"{resource.collection}/")


handle = api_function("post", post)
