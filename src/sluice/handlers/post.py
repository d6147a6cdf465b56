"""POST /v1/{collection}: write a new item, or many; the service chooses the id, or takes it from the natural key."""

from sluice.http.api_gateway import create_api_handler
from sluice.http.request import Request
from sluice.http.response import Response
from sluice.ingest.accept import accept_write, authorize_write, prepare
from sluice.ingest.batch_of_lines import NDJSON_MEDIA_TYPE, accept_lines
from sluice.ingest.item_body import choose_item_id, decode_body, parse_idempotency_key

prepare()


def post_items(request: Request) -> Response:
    resource = authorize_write(request)
    if request.media_type == NDJSON_MEDIA_TYPE:
        return accept_lines(resource, request)
    key = parse_idempotency_key(request)
    item = decode_body(request, resource)
    return accept_write(
        resource, choose_item_id(resource, request, key, item), request.caller, item, f"{resource.collection}/"
    )


handle = create_api_handler("post", post_items)
