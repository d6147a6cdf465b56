"""TLS contexts: the certificate authorities that each connection trusts."""

import ssl
from pathlib import Path


def create_database_tls_context() -> ssl.SSLContext:
    """A context that trusts only the authorities that the trust layer brings, and checks the host's name."""
    import database_trust  # noqa: PLC0415  only functions with the trust layer can import it

    return ssl.create_default_context(cafile=str(Path(str(database_trust.__file__)).with_name("ca.pem")))


def create_cache_tls_context() -> ssl.SSLContext:
    """As `tls`, and the system's authorities too: ElastiCache has certificates that everybody trusts."""
    import database_trust  # noqa: PLC0415  only functions with the trust layer can import it

    context = ssl.create_default_context()
    context.load_verify_locations(Path(str(database_trust.__file__)).with_name("ca.pem"))
    return context


def create_aws_tls_context() -> ssl.SSLContext:
    """A context that trusts the authorities that botocore trusts, and checks the host's name."""
    import botocore  # noqa: PLC0415  the package alone costs nothing: its parts do

    return ssl.create_default_context(cafile=str(Path(str(botocore.__file__)).with_name("cacert.pem")))
