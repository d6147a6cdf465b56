"""Signature Version 4 of a POST with a body, as AWS's JSON services take it."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import NamedTuple

_ALGORITHM = "AWS4-HMAC-SHA256"


class AwsCredentials(NamedTuple):
    """What a role's requests are signed with."""

    access_key: str
    secret_key: str
    session_token: str

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r})"


def sign_headers(
    headers: Mapping[str, str], body: bytes, scope: tuple[str, str], credentials: AwsCredentials, at: float
) -> dict[str, str]:
    """Return the headers (host among them, all in lower case) with those that sign them and the body.

    `scope` is region and service, `at` the time in seconds. The path is /, without a query.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    sent = {**headers, "x-amz-date": moment}
    if credentials.session_token:
        sent["x-amz-security-token"] = credentials.session_token
    names = sorted(sent)
    listed = ";".join(names)
    lines = "".join(f"{name}:{' '.join(sent[name].split())}\n" for name in names)
    request = f"POST\n/\n\n{lines}\n{listed}\n{hashlib.sha256(body).hexdigest()}"
    place = "/".join((moment[:8], *scope, "aws4_request"))
    text = f"{_ALGORITHM}\n{moment}\n{place}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for part in (*place.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    value = f"{_ALGORITHM} Credential={credentials.access_key}/{place}, SignedHeaders={listed}, Signature={key.hex()}"
    return {**sent, "authorization": value}
