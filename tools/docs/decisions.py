"""The index of the decision records, made from the records themselves."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.docs.markdown import NOTICE, format_table

HEAD = """# Decisions

Each record (ADR) holds one decision with its context and its consequences. A record is not rewritten when the project
changes its mind: a newer record supersedes it, and both say so. [CONTRIBUTING.md] describes the form.

[CONTRIBUTING.md]: ../index.md#contribute
"""


@dataclass(frozen=True)
class Record:
    """A decision record: its file, number, title, status and date."""

    path: Path
    number: str
    title: str
    status: str
    date: str


def read_records(folder: Path) -> Iterator[Record]:
    """Read all records of a folder, by number. Raises ValueError for a file without the form."""
    for path in sorted(folder.glob("[0-9]*.md")):
        text = path.read_text()
        match = re.match(r"# (ADR-(\d{4})): (.+)\n\n- \*\*Status:\*\* (.+)\n- \*\*Date:\*\* (\d{4}-\d\d-\d\d)\n", text)
        if not match or not path.name.startswith(f"{match[2]}-"):
            raise ValueError(f"{path.name} does not begin with title, status and date")
        yield Record(path, match[1], match[3], match[4], match[5])


def render_index(folder: Path) -> str:
    """Return the page."""
    rows = (
        (record.number, f"[{record.title}]({record.path.name})", record.status, record.date)
        for record in read_records(folder)
    )
    return (
        "\n".join(
            [NOTICE.format(source="the records"), "", HEAD, *format_table(("", "decision", "status", "date"), rows)]
        )
        + "\n"
    )
