"""DELETE /v1/{collection}/{id}: a write that leaves a tombstone; the item need not exist yet."""

from sluice.http.api_gateway import create_api_handler
from sluice.http.problem import invalid_field_problem
from sluice.http.request import Request
from sluice.http.response import Response
from sluice.ingest.accept import accept_write, authorize_write, prepare
from sluice.model.resource import describe_invalid_id

prepare()


def delete_item(request: Request) -> Response:
    resource = authorize_write(request)
    if fault := describe_invalid_id(resource, request.item_id):
        raise invalid_field_problem("id", fault, 400)
    return accept_write(resource, request.item_id, request.caller, None)


handle = create_api_handler("delete", delete_item)
