"""PUT /v1/{collection}/{id}: write an item under an id that the client names."""

from sluice.http.api_gateway import create_api_handler
from sluice.http.problem import invalid_field_problem
from sluice.http.request import Request
from sluice.http.response import Response
from sluice.ingest.accept import accept_write, authorize_write, prepare
from sluice.ingest.item_body import decode_body
from sluice.model.resource import describe_invalid_id

prepare()


def put_item(request: Request) -> Response:
    resource = authorize_write(request)
    if fault := describe_invalid_id(resource, request.item_id):
        raise invalid_field_problem("id", fault, 400)
    item = decode_body(request, resource)
    if resource.key and getattr(item, resource.key) != request.item_id:
        raise invalid_field_problem(resource.key, "Expected the same value as the id in the path")
    return accept_write(resource, request.item_id, request.caller, item)


handle = create_api_handler("put", put_item)
