"""PUT /v1/{collection}/{id}: write an item under an id that the client chooses."""

from sluice.http.api_gateway import create_api_handler
from sluice.http.problem import invalid_field_problem
from sluice.http.request import Request
from sluice.http.response import Response
from sluice.ingest.accept import accept_write, authorize_write, create_write_context
from sluice.ingest.item_body import decode_body
from sluice.model.resource import describe_invalid_id

context = create_write_context()


def put_item(request: Request) -> Response:
    """Authorize, validate, put on the stream, respond."""
    resource, caller = authorize_write(request, context.resources)
    if fault := describe_invalid_id(resource, request.item_id):
        raise invalid_field_problem("id", fault, 400)
    item = decode_body(request, resource)
    if resource.key and getattr(item, resource.key) != request.item_id:
        raise invalid_field_problem(resource.key, "Expected the same value as the id in the path")
    return accept_write(context, resource, caller, request.item_id, item, request_id=request.origin.request_id)


handle = create_api_handler("put", put_item)
