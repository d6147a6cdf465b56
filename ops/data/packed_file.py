"""Open a file of data as text: unpacked, in its encoding."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ops.errors import UsageError

_PACKED: dict[bytes, Any] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\x00": lzma.open,
    # A text may begin with BZh.
    **{b"BZh%d1AY&SY" % level: bz2.open for level in range(1, 10)},
}
_ZIP = b"PK\x03\x04"
# What a text cannot begin with, and how to make a text of it.
_NO_TEXTS = {
    b"PAR1\x15": ("Parquet", "Write it as CSV or JSON Lines."),
    b"ARROW1\x00": ("Arrow", "Write it as CSV or JSON Lines."),
    b"Obj\x01": ("Avro", "Write it as JSON Lines."),
    b"SQLite format 3\x00": ("an SQLite database", "Write a table of it as CSV."),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook", "Save each sheet as CSV."),
    b"%PDF-": ("PDF", "Give CSV, JSON Lines or a JSON Schema."),
    b"\x28\xb5\x2f\xfd": ("packed with Zstandard", "Unpack it first, such as with `zstd -d`."),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", "Unpack it first."),
}
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
DEFAULT_ENCODING = "utf-8-sig"


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[tuple[IO[str], IO[bytes]]]:
    """The text of a file, unpacked if its first bytes say so, and the file itself. Raises UsageError.

    A file that begins with the mark of UTF-16 is read as such, unless `encoding` is another than the default.
    """
    try:
        with path.open("rb") as raw, _unpack(path, raw) as unpacked:
            buffered = unpacked if isinstance(unpacked, io.BufferedReader) else io.BufferedReader(unpacked)
            if encoding == DEFAULT_ENCODING and buffered.peek(2)[:2] in _UTF16_MARKS:
                encoding = "utf-16"
            with io.TextIOWrapper(buffered, encoding=encoding, newline="") as text:
                yield text, raw
    except LookupError:
        raise UsageError(f"Python has no encoding {encoding}.", "Give --encoding, such as latin-1.") from None
    except UnicodeError:
        hint = "Give its --encoding, such as cp1252 (of Windows) or latin-1."
        raise UsageError(f"{path} is not in {encoding.removesuffix('-sig')}.", hint) from None
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise UsageError(f"{path} cannot be read: {reason}.", "Check the file.") from None


@contextmanager
def _unpack(path: Path, raw: IO[bytes]) -> Iterator[Any]:
    start = raw.read(16)
    raw.seek(0)
    for mark, (kind, hint) in _NO_TEXTS.items():
        if start.startswith(mark):
            raise UsageError(f"{path} is {kind}, not text.", hint)
    for mark, unpack in _PACKED.items():
        if start.startswith(mark):
            with unpack(raw) as unpacked:
                yield unpacked
            return
    if start.startswith(_ZIP):
        with zipfile.ZipFile(raw) as archive, archive.open(_choose_member(path, archive)) as member:
            yield member
    else:
        yield raw


def _choose_member(path: Path, archive: zipfile.ZipFile) -> str:
    """The only file of an archive. Raises UsageError for none or several."""
    names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if "[Content_Types].xml" in names:
        raise UsageError(f"{path} is an Excel workbook, not text.", "Save each sheet as CSV.")
    if len(names) != 1:
        raise UsageError(f"{path} has {len(names)} files.", "Unpack it, and give one of them.")
    return names[0]
