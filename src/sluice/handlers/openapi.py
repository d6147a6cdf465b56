"""GET /v1/openapi.json and GET /v1/docs: the OpenAPI document and the page that shows it, for everyone."""

from sluice.http.api_gateway import create_api_handler
from sluice.model.resource import load_resources
from sluice.openapi.serving import OpenApiResponder
from sluice.settings import OpenApiSettings, read_settings

responder = OpenApiResponder(list(load_resources().values()), read_settings(OpenApiSettings))
handle = create_api_handler("openapi", responder.respond)
