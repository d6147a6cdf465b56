"""Lists that API Gateway keeps. It passes over a parameter that its cache was not told of: one filter's answer would be
given to another."""

from collections.abc import Collection, Iterable

from sluice.asking import askable
from sluice.migrating.failures import MigrationRefused
from sluice.resource import Resource

# As API Gateway and the template name a parameter of a query.
QUERY = "method.request.querystring."


def check(told: Collection[str], resources: Iterable[Resource]) -> None:
    """Raises MigrationRefused where lists can be asked for a parameter that the cache was not `told` of."""
    lacking = sorted({f"{QUERY}{name}" for name in askable(resources)} - set(told))
    if lacking:
        refusal = (
            "Lists can be asked for more than API Gateway's cache tells apart, so that one would be given to whoever "
            f"asks for another: add {', '.join(lacking)} to RequestParameters of GetFunction and to ListParameters of "
            "Migration in template.yaml, or deploy with ApiCacheSize=off."
        )
        raise MigrationRefused((refusal,))
