"""Ids and date-times that are spelled as the API spells them: the database takes other spellings of them too.

Two spellings of an id would be two keys of one row. A whole column is compared at once, place by place.
"""

import string
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from sluice.resource import Resource

Spelled = Callable[[Sequence[Any], Sequence[str]], bool]

# The other characters of a form stand where they are; # is one of those that are given with it.
UUID, HEXADECIMAL = "########-####-####-####-############", b"0123456789abcdef"
MOMENT, FINE_MOMENT, DIGITS = "####-##-##T##:##:##Z", "####-##-##T##:##:##.######Z", string.digits.encode()
NATURAL = (string.ascii_letters + string.digits + "._~-").encode()


def spelled(resource: Resource) -> Spelled:
    """Make the function that says whether lines of a resource, and their ids, are spelled so."""
    moments = [
        (attrgetter(f"data.{column.name}"), column.presence == "optional")
        for column in resource.columns
        if column.type.name == "DATETIME"
    ]
    natural = resource.key is not None

    def columns(lines: Sequence[Any]) -> Iterator[list[str]]:
        for value, optional in moments:
            try:
                values = list(map(value, lines))
            except AttributeError:  # a delete has no data
                values = list(map(value, [line for line in lines if line.data is not None]))
            yield [one for one in values if type(one) is str] if optional else values

    def check(lines: Sequence[Any], ids: Sequence[str]) -> bool:
        if not (_are_natural(ids) if natural else are(ids, UUID, HEXADECIMAL)):
            return False
        return all(map(are_moments, columns(lines)))

    return check


def are_moments(texts: Sequence[str]) -> bool:
    """Whether texts are date-times in UTC, with six digits of the second's fraction or with none."""
    if are(texts, MOMENT, DIGITS):  # most have none
        return True
    fine = [text for text in texts if len(text) != len(MOMENT)]
    return are(fine, FINE_MOMENT, DIGITS) and are([text for text in texts if len(text) == len(MOMENT)], MOMENT, DIGITS)


def are(texts: Sequence[str], form: str, others: bytes) -> bool:
    """Whether all texts have a form, with some of the other characters where it has #."""
    count, length = len(texts), len(form)
    if {*map(len, texts)} - {length}:
        return False
    joined = "".join(texts).encode()
    own = [(place, character.encode()) for place, character in enumerate(form) if character != "#"]
    return (
        len(joined) == count * length
        and all(joined[place::length] == character * count for place, character in own)
        and len(joined.translate(None, others)) == count * len(own)
    )


def _are_natural(ids: Sequence[str]) -> bool:
    if not all(ids) or "".join(ids).encode().translate(None, NATURAL):
        return False
    return "." not in ids and ".." not in ids
