"""Answers with the contract and its page, to everybody."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from sluice.http.problem import Problem
from sluice.http.request import Request
from sluice.http.response import Response, apply_if_none_match, compute_etag
from sluice.model.registry import load_resources
from sluice.openapi.document import DOCUMENT_PATH, PAGE_PATH, create_document
from sluice.settings import OpenApiSettings, read_settings

# It changes with a deploy only; a client may see the one before for so long.
CACHE_CONTROL = "public, max-age=300"


_PAGE = Path(__file__).with_name("page.html")


_INLINE = re.compile(rb"<(script|style)>(.*?)</\1>", re.DOTALL)


def encode_document(made: dict[str, Any], indent: int = -1) -> bytes:
    """A document as JSON, in order."""
    text = msgspec.json.encode(made)
    return msgspec.json.format(text, indent=indent)


@cache
def _document() -> Response:
    settings = read_settings(OpenApiSettings)
    made = create_document(
        list(load_resources().values()), settings.sign_in_url, needs_client_keys=settings.client_keys == "required"
    )
    return _response(encode_document(made), "application/json")


@cache
def _page() -> Response:
    page = _PAGE.read_bytes()
    return _response(
        page, "text/html; charset=utf-8", **{"Content-Security-Policy": create_content_security_policy(page)}
    )


def create_content_security_policy(page: bytes) -> str:
    """A policy that runs what stands in the page, lets it fetch from its own host, and nothing else."""
    allowed: dict[bytes, list[str]] = {b"script": [], b"style": []}
    for kind, text in _INLINE.findall(page):
        allowed[kind].append(f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'")
    return "; ".join((
        "default-src 'none'",
        f"script-src {' '.join(allowed[b'script'])}",
        f"style-src {' '.join(allowed[b'style'])}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ))  # fmt: skip


def _response(body: bytes, content_type: str, **more: str) -> Response:
    headers = {"Cache-Control": CACHE_CONTROL, "ETag": compute_etag(body), "X-Content-Type-Options": "nosniff", **more}
    return Response(200, body, headers, content_type)


def prepare() -> None:
    """Do at start-up what the first answer needs."""
    _document()
    _page()


def respond_to_openapi(request: Request) -> Response:
    """Answer with the document or the page. Raises Problem 404 for any other path."""
    found = {DOCUMENT_PATH: _document, PAGE_PATH: _page}.get(str(request.event.get("resource", "")))
    if found is None:
        raise Problem(404, "There is nothing at this path.")
    return apply_if_none_match(request, found())
