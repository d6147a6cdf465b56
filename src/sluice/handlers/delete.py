"""DELETE /v1/{collection}/{id}: a write that leaves a tombstone. The item need not exist yet."""

from sluice.http.api_gateway import create_api_handler
from sluice.http.problem import invalid_field_problem
from sluice.http.request import Request
from sluice.http.response import Response
from sluice.ingest.accept import accept_write, authorize_write, create_write_context
from sluice.model.resource import describe_invalid_id

context = create_write_context()


def delete_item(request: Request) -> Response:
    """Authorize, validate the id, put on the stream, respond."""
    resource, caller = authorize_write(request, context.resources)
    if fault := describe_invalid_id(resource, request.item_id):
        raise invalid_field_problem("id", fault, 400)
    return accept_write(context, resource, caller, request.item_id, None, request_id=request.origin.request_id)


handle = create_api_handler("delete", delete_item)
