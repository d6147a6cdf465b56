"""Serve the OpenAPI document and the page that shows it."""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from sluice.http.conditional_requests import apply_if_none_match, compute_etag
from sluice.http.problem import Problem
from sluice.http.request import Request
from sluice.http.response import Response
from sluice.model.resource import Resource
from sluice.openapi.document import DOCUMENT_PATH, PAGE_PATH, create_document, encode_document
from sluice.settings import OpenApiSettings

# Only a deployment changes the document. After one, clients may see the previous document for this long.
CACHE_CONTROL = "public, max-age=300"

_PAGE_FILE = Path(__file__).with_name("page.html")
_INLINE = re.compile(rb"<(script|style)>(.*?)</\1>", re.DOTALL)


class OpenApiResponder:
    """Responds with the document of these resources and with its page. Creates both once."""

    def __init__(self, resources: Sequence[Resource], settings: OpenApiSettings) -> None:
        needs_client_keys = settings.client_keys == "required"
        document = create_document(resources, settings.sign_in_url, needs_client_keys=needs_client_keys)
        page = _PAGE_FILE.read_bytes()
        policy = {"Content-Security-Policy": create_content_security_policy(page)}
        self._responses = {
            DOCUMENT_PATH: _create_response(encode_document(document), "application/json"),
            PAGE_PATH: _create_response(page, "text/html; charset=utf-8", **policy),
        }

    def respond(self, request: Request) -> Response:
        """Respond with the document or the page. Raises Problem 404 for any other path."""
        response = self._responses.get(request.route)
        if response is None:
            raise Problem(404, "There is nothing at this path.")
        return apply_if_none_match(request, response)


def create_content_security_policy(page: bytes) -> str:
    """Create a policy that allows the page's inline scripts and styles and requests to its own host, nothing else."""
    hashes: dict[bytes, list[str]] = {b"script": [], b"style": []}
    for kind, text in _INLINE.findall(page):
        hashes[kind].append(f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'")
    return "; ".join((
        "default-src 'none'",
        f"script-src {' '.join(hashes[b'script'])}",
        f"style-src {' '.join(hashes[b'style'])}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ))  # fmt: skip


def _create_response(body: bytes, content_type: str, **headers: str) -> Response:
    common = {"Cache-Control": CACHE_CONTROL, "ETag": compute_etag(body), "X-Content-Type-Options": "nosniff"}
    return Response(200, body, common | headers, content_type)
