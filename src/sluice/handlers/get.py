"""GET /v1/{collection} and GET /v1/{collection}/{id}: answered from the replica."""

from sluice.http.api_gateway import create_api_handler
from sluice.query.read_router import prepare, respond_to_read

prepare()

handle = create_api_handler("get", respond_to_read)
