"""What of a request's body the firewall's rules are shown."""

import json
import re

from local.edge.http_messages import Request

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


# A word, a number or a code by itself is no attack; to leave them out saves most of the time that a body takes.
_HARMLESS = re.compile(r"[\w.:+-]{0,64}")


def extract_inspected_body(request: Request, limit: int) -> bytes:
    """Of a body of JSON, whether one document, many (NDJSON) or cut off at the limit, the list of the texts in it that
    could be an attack; what has no text at all is one. Another body as it is."""
    body = request.body[:limit]
    if not body or "json" not in (request.get_header("content-type") or ""):
        return body
    found = dict.fromkeys(match[0] for match in _STRING.finditer(body))
    texts = [text for quoted in found if (text := _text_of(quoted)) and not _HARMLESS.fullmatch(text)]
    if not found:
        texts = [body.decode(errors="replace")]
    return json.dumps(texts, ensure_ascii=False).encode() if texts else b""


def _text_of(quoted: bytes) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted.decode("latin-1")
