"""Names of fields and classes from the names in a file. The same name always leads to the same field."""

import keyword
import re
import unicodedata
from collections.abc import Sequence

from ops.errors import UsageError

MAX_NAME_CHARACTERS = 48
COLLECTION_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,47}")
# The columns that each table has besides the fields, and the parameters of each list, which no index can have.
RESERVED_NAMES = frozenset({"id", "owner", "version", "written_at", "deleted", "limit", "after", "sort", "fields"})
# A field of such a name would hide the type from the fields below it in its class.
_TYPE_NAMES = frozenset({"bool", "datetime", "dict", "float", "int", "list", "str", "uuid"})
_LETTERS_WITHOUT_BASE = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th"})


def choose_field_name(source: str) -> str:
    """The name of the field for a name in a file: ASCII, lower case, neither reserved nor a word of Python."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", source)
    text = unicodedata.normalize("NFKD", words.casefold().translate(_LETTERS_WITHOUT_BASE))
    text = "".join(_spell_in_ascii(character) for character in text if not unicodedata.combining(character))
    name = re.sub(r"[^a-z0-9]+", "_", text).strip("_")
    if not name:
        name = "_".join(f"u{ord(character):x}" for character in source[:8]) or "unnamed"
    if not name[0].isalpha():
        name = f"field_{name}"
    if name in RESERVED_NAMES:
        name = f"item_{name}"
    if keyword.iskeyword(name) or name in _TYPE_NAMES:
        name = f"{name}_"
    return name[:MAX_NAME_CHARACTERS]


def _spell_in_ascii(character: str) -> str:
    return character if character.isascii() or not character.isalnum() else f"_u{ord(character):x}_"


def map_field_names(sources: Sequence[str]) -> dict[str, str]:
    """The field of each name of a header. Of names that lead to the same field, the later ones get a number."""
    fields: dict[str, str] = {}
    used: set[str] = set()
    for source in sources:
        name, number = choose_field_name(source), 2
        while name in used:
            ending = f"_{number}"
            name, number = choose_field_name(source)[: MAX_NAME_CHARACTERS - len(ending)] + ending, number + 1
        used.add(name)
        fields[source] = name
    return fields


def check_collection_name(name: str) -> None:
    """Raises UsageError for a name that no collection can have."""
    if not COLLECTION_PATTERN.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a collection.",
            "A name has 1 to 48 lower-case letters, digits and underscores, and begins with a letter.",
        )


def choose_class_name(collection: str) -> str:
    """The name of the class of a collection's items: `blog_entries` leads to `BlogEntry`."""
    *first, last = [word for word in collection.split("_") if word] or [collection]
    if last.endswith("ies") and len(last) > 4:
        last = f"{last[:-3]}y"
    elif last.endswith(("sses", "xes", "ches", "shes")):
        last = last[:-2]
    elif last.endswith("s") and not last.endswith(("ss", "us", "is")) and len(last) > 2:
        last = last[:-1]
    name = "".join(word[:1].upper() + word[1:] for word in (*first, last))
    # The class must not hide what the file imports.
    return f"{name}Item" if name in {"Item", "Meta", "Digits", "Decimal", "Literal", "Annotated", "Any"} else name
