"""GET /v1/openapi.json and GET /v1/docs: what clients may rely on, for everybody to read."""

from sluice.api.function import api_function
from sluice.contract.serving import answer, prepare

prepare()

handle = api_function("contract", answer)
