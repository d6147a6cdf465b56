"""POST /v1/{collection}: write a new item, or a batch of items, one on each line."""

from sluice.http.api_gateway import create_api_handler
from sluice.http.request import Request
from sluice.http.response import Response
from sluice.ingest.accept import accept_write, authorize_write, create_write_context
from sluice.ingest.batch_of_lines import NDJSON_MEDIA_TYPE, accept_lines
from sluice.ingest.item_body import parse_new_item

context = create_write_context()


def post_items(request: Request) -> Response:
    """Authorize, validate, put on the stream, respond."""
    resource, caller = authorize_write(request, context.resources)
    if request.media_type == NDJSON_MEDIA_TYPE:
        return accept_lines(context, resource, caller, request)
    item_id, item = parse_new_item(request, resource, caller)
    base_path = f"{resource.collection}/"
    return accept_write(context, resource, caller, item_id, item, base_path, request_id=request.origin.request_id)


handle = create_api_handler("post", post_items)
