"""Whom connections trust: the authorities that servers' certificates must come from."""

import ssl
from functools import cache
from pathlib import Path


@cache
def tls() -> ssl.SSLContext:
    """A context that trusts only the authorities that the trust layer brings, and checks the host's name."""
    import database_trust  # noqa: PLC0415  only functions with the trust layer can import it

    return ssl.create_default_context(cafile=str(Path(str(database_trust.__file__)).with_name("ca.pem")))


@cache
def tls_of_cache() -> ssl.SSLContext:
    """As `tls`, and the system's authorities too: ElastiCache has certificates that everybody trusts."""
    import database_trust  # noqa: PLC0415  only functions with the trust layer can import it

    context = ssl.create_default_context()
    context.load_verify_locations(Path(str(database_trust.__file__)).with_name("ca.pem"))
    return context
