"""The DDL for what is allowed. Every statement leads to a schema from which the rest is still allowed.

MariaDB commits each DDL statement at once, so a migration that dies midway is not undone: the next run compares anew
and does what is left.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from sqlalchemy import MetaData, make_url
from sqlalchemy.schema import CreateColumn, CreateTable

from sluice.migrating.differences import ChangedColumn, Difference, MissingColumn, MissingIndex, MissingTable
from sluice.migrating.execution import Statement

_DIALECT = make_url("mariadb+pymysql://").get_dialect()()
_QUOTE = _DIALECT.identifier_preparer.quote


def statements(allowed: Iterable[Difference], declared: MetaData) -> list[Statement]:
    """New tables in the schema's order, then one ALTER per table and kind of change."""
    allowed = list(allowed)
    missing = {difference.table for difference in allowed if isinstance(difference, MissingTable)}
    created = [
        Statement(_render(CreateTable(table)), f"create table {table.name}")
        for table in declared.tables.values()
        if table.name in missing
    ]
    return [*created, *_alters(allowed, declared)]


def _alters(allowed: list[Difference], declared: MetaData) -> Iterator[Statement]:
    # A statement of its own for each kind: adding a column is instant, and widening one may rewrite the table.
    for kind in (MissingColumn, ChangedColumn, MissingIndex):
        of_kind = sorted((d for d in allowed if isinstance(d, kind)), key=attrgetter("table"))
        for table, differences in groupby(of_kind, attrgetter("table")):
            clauses, words = zip(*(_clause(difference, declared) for difference in differences), strict=True)
            yield Statement(f"ALTER TABLE {_QUOTE(table)} {', '.join(clauses)}", f"alter {table}: {', '.join(words)}")


def _clause(difference: Difference, declared: MetaData) -> tuple[str, str]:
    match difference:
        case MissingColumn(table, name, after):
            column = declared.tables[table].columns[name]
            return f"ADD COLUMN {_render(CreateColumn(column))}", f"add {name} {after.type.ddl}"
        case ChangedColumn(table, name, before, after):
            column = declared.tables[table].columns[name]
            change = f"{before.type.ddl} to {after.type.ddl}" if before.type != after.type else f"to {after.comment}"
            return f"MODIFY COLUMN {_render(CreateColumn(column))}", f"change {name} {change}"
        case MissingIndex(table, name):
            index = next(index for index in declared.tables[table].indexes if index.name == name)
            columns = ", ".join(_QUOTE(column.name) for column in index.columns)
            return f"ADD INDEX {_QUOTE(name)} ({columns})", f"add index {name}"
    raise TypeError(f"{difference} has no statement")


def _render(element: CreateTable | CreateColumn) -> str:
    return " ".join(str(element.compile(dialect=_DIALECT)).split())
