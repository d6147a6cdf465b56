"""The database's complaints as reasons that a client may read: the field and what is wrong with it.

Its own texts name our tables and their schema, and in which row of those that were sent together the fault is. Nothing
but the text has the field's name.
"""

import re

_PLACE = re.compile(r" at row \d+$")
# Each names a field in its own way; a schema, a table or the stage may stand before it.
_OF_A_FIELD = (
    re.compile(r"(?P<what>.+) for column (?:'|(?:`[^`]*`\.)*`)(?P<field>[^`']*)['`]", re.DOTALL),
    re.compile(r"(?P<what>Column) '(?P<field>[^']*)' cannot be null"),
    re.compile(r"(?P<what>CONSTRAINT) `(?:[^`]*\.)?(?P<field>[^`]*)` failed for .+"),
    re.compile(r".+ (?P<what>foreign key).+ FOREIGN KEY \(`(?P<field>[^`]*)`.+", re.DOTALL),
)
_WHAT = {
    "Column": "Must have a value",
    "CONSTRAINT": "Fails the check of this name",
    "Data truncated": "Does not fit",
    "foreign key": "Refers to something that is not there",
}
_NAMES = re.compile(r"`[^`]*`(\.`[^`]*`)*")


def reason(complaint: str) -> str:
    """What is wrong, as `field: what` where the database names a field. It may quote data, in single quotes."""
    text = _PLACE.sub("", complaint)
    for form in _OF_A_FIELD:
        if found := form.fullmatch(text):
            return f"{found['field']}: {_WHAT.get(found['what'], found['what'])}"
    return _NAMES.sub("…", text)
