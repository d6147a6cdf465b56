"""Choose the column that is the id of the items."""

import hashlib
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from ops.data.inference import Column, FieldInference
from ops.data.source_file import SourceFile
from ops.errors import UsageError

_HINT = "Choose another key, or none."
_NO_IDS = frozenset({"float", "decimal", "bool", "datetime"})


def choose_key_source(file: SourceFile, inference: FieldInference) -> str:
    """The first column that has another value in every row, and can be an id. Raises UsageError when none can."""
    for source, column in inference.columns.items():
        if column.count < inference.rows or not _can_be_ids(column) or inference.choose_kind(column) in _NO_IDS:
            continue
        if find_duplicate(file, source) is None:
            return source
    raise UsageError("No column has another text in every row that can be an id.", "Leave --natural-key out.")


def check_key_source(file: SourceFile, inference: FieldInference, source: str) -> None:
    """Raises UsageError when a column cannot be the id."""
    column = inference.columns[source]
    if column.count + column.null_texts < inference.rows:
        raise UsageError(f"{source!r} cannot be the key: some rows have no value.", _HINT)
    if not _can_be_ids(column):
        rule = "1 to 128 of the characters A-Z a-z 0-9 . _ ~ -"
        raise UsageError(f"{source!r} cannot be the key: some values are not {rule}.", _HINT)
    duplicate = find_duplicate(file, source)
    if duplicate is not None:
        raise UsageError(f"{source!r} cannot be the key: {duplicate!r} stands in two rows.", _HINT)


def _can_be_ids(column: Column) -> bool:
    return column.may_be_id and set(column.json_types) <= {"str", "int"}


def find_duplicate(file: SourceFile, source: str) -> str | None:
    """A value that stands in two rows of a column, or None. A temporary file holds the values, so memory is bounded."""
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder) / "values")) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("CREATE TABLE digests (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        for row in file.iterate_rows():
            value = str(row.values.get(source))
            digest = hashlib.blake2b(value.encode(errors="replace"), digest_size=16).digest()
            try:
                database.execute("INSERT INTO digests VALUES (?)", (digest,))
            except sqlite3.IntegrityError:
                return value
    return None


def choose_named(names: Mapping[str, str], word: str, option: str) -> str:
    """The name in the file that an option means: it may name the field too. Raises UsageError."""
    if word in names:
        return word
    for source, name in names.items():
        if name == word:
            return source
    shown = ", ".join(list(names)[:12])
    more = ", …" if len(names) > 12 else ""
    raise UsageError(f"The file has no column {word!r} for {option}.", f"It has {shown}{more}.")
