"""The part of a request body that the firewall rules inspect."""

import json
import re

from local.edge.http_messages import Request

# Of a body of such a type, ModSecurity reads the JSON (see `core_rule_set.SETTINGS`).
_JSON_TYPE = re.compile(r"application/(?:[a-z.-]+\+)?(?:x-nd)?json")
_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
# A single word, number or code is no attack. To leave these out saves most of the time that a body takes.
_HARMLESS = re.compile(r"[\w.:+-]{0,64}")


def has_json_body(request: Request) -> bool:
    """Whether the request has a body of which ModSecurity inspects each text."""
    types = [value for name, value in request.headers if name == "content-type"]
    return bool(request.body) and len(types) == 1 and bool(_JSON_TYPE.match(types[0]))


def extract_inspected_body(request: Request, limit: int) -> bytes:
    """Reduce a JSON body to a JSON list of the texts in it that could be an attack; return another body unchanged."""
    body = request.body[:limit]
    if not body or "json" not in (request.get_header("content-type") or ""):
        return body
    return encode_texts(extract_texts(body))


def extract_texts(body: bytes) -> list[str]:
    """The texts in a JSON body that could be an attack, each of them once.

    The JSON may be one document, several (NDJSON), or cut off. A body that contains no quoted text is one text.
    """
    strings = dict.fromkeys(_JSON_STRING.findall(body))
    if not strings:
        return [body.decode(errors="replace")]
    return [text for quoted in strings if not _HARMLESS.fullmatch(text := _decode_string(quoted))]


def encode_texts(texts: list[str]) -> bytes:
    """The texts as a JSON list, or nothing without a text."""
    # A lone surrogate, which JSON can escape, has no encoding.
    return json.dumps(texts, ensure_ascii=False).encode(errors="replace") if texts else b""


def _decode_string(quoted: bytes) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted.decode("latin-1")
