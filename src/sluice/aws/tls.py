"""TLS contexts: the certificate authorities that each connection trusts. All of them check the host name."""

import ssl
from pathlib import Path


def create_database_tls_context() -> ssl.SSLContext:
    """Create a context that trusts only the authorities of the trust layer."""
    import database_trust  # noqa: PLC0415  only functions with the trust layer can import it

    return ssl.create_default_context(cafile=str(Path(str(database_trust.__file__)).with_name("ca.pem")))


def create_cache_tls_context() -> ssl.SSLContext:
    """Create a context that trusts the authorities of the trust layer and the system's, which ElastiCache needs."""
    import database_trust  # noqa: PLC0415  only functions with the trust layer can import it

    context = ssl.create_default_context()
    context.load_verify_locations(Path(str(database_trust.__file__)).with_name("ca.pem"))
    return context


def create_aws_tls_context() -> ssl.SSLContext:
    """Create a context that trusts the authorities that botocore trusts."""
    import botocore  # noqa: PLC0415  only its submodules are slow to import

    return ssl.create_default_context(cafile=str(Path(str(botocore.__file__)).with_name("cacert.pem")))
