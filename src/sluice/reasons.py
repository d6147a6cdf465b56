"""Why a write was rejected, in words that may be shown to somebody who must not see its data."""

import re

_QUOTED = re.compile(r"""'.*'|".*\"""", re.DOTALL)


def without_data(reason: str) -> str:
    """A reason without what it may quote of the item."""
    return _QUOTED.sub("'…'", reason)
