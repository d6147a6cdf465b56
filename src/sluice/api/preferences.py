"""What a client would like (RFC 7240): of all preferences, how long an answer may take."""

import re

from sluice.api.requests import Request

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PREFERENCE = re.compile(rf'(?:[^,"]|{_QUOTED})+')
_WAIT = re.compile(rf"\s*wait\s*=\s*(?P<value>{_QUOTED}|[^\s;]*)\s*(?:;.*)?", re.IGNORECASE | re.DOTALL)
_MOST_DIGITS = 9


def preferred_wait(request: Request) -> int | None:
    """The seconds that a client would wait, or None. A preference that is not understood is passed over."""
    for preference in _PREFERENCE.findall(request.listed("prefer")):
        if found := _WAIT.fullmatch(preference):  # only the first of its name counts
            value = found["value"].strip('"')
            return int(value.lstrip("0")[:_MOST_DIGITS] or 0) if re.fullmatch("[0-9]+", value) else None
    return None
