"""GET /v1/openapi.json and GET /v1/docs: what clients may rely on, for everybody to read."""

from sluice.http.api_gateway import create_api_handler
from sluice.openapi.serving import prepare, respond_to_openapi

prepare()


handle = create_api_handler("openapi", respond_to_openapi)
