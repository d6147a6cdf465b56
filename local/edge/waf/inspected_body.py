"""The part of a request body that the firewall rules inspect."""

import json
import re

from local.edge.http_messages import Request

_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
# A single word, number or code is no attack. To leave these out saves most of the time that a body takes.
_HARMLESS = re.compile(r"[\w.:+-]{0,64}")


def extract_inspected_body(request: Request, limit: int) -> bytes:
    """Reduce a JSON body to a JSON list of the texts in it that could be an attack; return another body unchanged.

    The JSON may be one document, several (NDJSON), or cut off at `limit` bytes. A JSON body that contains no quoted
    text counts as one text.
    """
    body = request.body[:limit]
    if not body or "json" not in (request.get_header("content-type") or ""):
        return body
    strings = dict.fromkeys(match[0] for match in _JSON_STRING.finditer(body))
    texts = [text for quoted in strings if (text := _decode_string(quoted)) and not _HARMLESS.fullmatch(text)]
    if not strings:
        texts = [body.decode(errors="replace")]
    return json.dumps(texts, ensure_ascii=False).encode() if texts else b""


def _decode_string(quoted: bytes) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted.decode("latin-1")
