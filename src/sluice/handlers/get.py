"""GET /v1/{collection} and GET /v1/{collection}/{id}: answered from the replica."""

from sluice.api.function import api_function
from sluice.reading.answers import answer, prepare

prepare()

handle = api_function("get", answer)
