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
    moments = [attrgetter(f"data.{column.name}") for column in resource.columns if column.type.name == "DATETIME"]
    natural = resource.key is not None

    def columns(lines: Sequence[Any]) -> Iterator[list[Any]]:
        for values in moments:
            try:
                yield list(map(values, lines))
            except AttributeError:  # a delete has no data
                yield list(map(values, [line for line in lines if line.data is not None]))

    def check(lines: Sequence[Any], ids: Sequence[str]) -> bool:
        if not (_are_natural(ids) if natural else are(ids, UUID, HEXADECIMAL)):
            return False
        return all(map(are_moments, columns(lines)))

    return check


def are_moments(texts: Sequence[Any]) -> bool:
    """Whether values are date-times in UTC, with six digits of the second's fraction or with none; or no texts."""
    if {*map(type, texts)} - {str}:
        texts = [text for text in texts if type(text) is str]
    lengths = {*map(len, texts)}
    if lengths == {len(MOMENT), len(FINE_MOMENT)}:
        return all(are_moments([text for text in texts if len(text) == length]) for length in lengths)
    return are(texts, FINE_MOMENT if lengths == {len(FINE_MOMENT)} else MOMENT, DIGITS)


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
