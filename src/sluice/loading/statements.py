"""The SQL of a load. Every identifier comes from the resources' own declarations; values are never part of it."""

from dataclasses import dataclass

from sluice.loading import format as row_format
from sluice.loading.plain_rows import SYSTEM_COLUMNS
from sluice.resource import Resource

_ASCII = "CHARACTER SET ascii COLLATE ascii_bin"
_TEXT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"


@dataclass(frozen=True)
class Statements:
    """What is sent for one collection.

    `replace` fills the table itself. The stage: `make`, `fill`, `merge` into the table, `empty`. The keys of rows that
    may have lost: `make_keys`, `fill_keys`, `wanted` gives the places of those that have not, `empty_keys`.
    """

    replace: str
    make: str
    fill: str
    merge: str
    empty: str
    make_keys: str
    fill_keys: str
    wanted: str
    empty_keys: str


def statements(resource: Resource) -> Statements:
    """Write the statements for a resource."""
    table, stage, keys = (f"`{prefix}{resource.collection}`" for prefix in ("", "stage_", "keys_"))
    names = [*SYSTEM_COLUMNS, *(column.name for column in resource.columns)]
    listed = ", ".join(f"`{name}`" for name in names)
    load = "LOAD DATA LOCAL INFILE 'batch'"
    temporary = "CREATE OR REPLACE TEMPORARY TABLE"
    return Statements(
        replace=f"{load} REPLACE INTO TABLE {table} {row_format.CLAUSE} ({listed})",
        make=f"{temporary} {stage} ({', '.join([*_keys(resource), *_values(resource)])}) ENGINE=InnoDB",
        fill=f"{load} INTO TABLE {stage} {row_format.CLAUSE} ({listed})",
        merge=f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {stage} ORDER BY owner, id "  # noqa: S608
        f"ON DUPLICATE KEY UPDATE {', '.join(_updates(table, names))}",
        empty=f"DELETE FROM {stage}",  # noqa: S608
        make_keys=f"{temporary} {keys} ({', '.join([*_keys(resource), 'place INT NOT NULL'])}) ENGINE=InnoDB",
        fill_keys=f"{load} INTO TABLE {keys} {row_format.CLAUSE} (version, owner, id, place)",
        wanted=f"SELECT {keys}.place FROM {keys} LEFT JOIN {table} USING (owner, id) "  # noqa: S608
        f"WHERE {table}.version IS NULL OR {table}.version < {keys}.version ORDER BY {keys}.place",
        empty_keys=f"DELETE FROM {keys}",  # noqa: S608
    )


def _updates(table: str, names: list[str]) -> list[str]:
    """Take every column of the greater version. `version` comes last: the others compare with the stored one."""
    others = [name for name in names if name not in ("owner", "id", "version")]
    return [
        f"`{name}` = IF(VALUES(version) > {table}.version, VALUES(`{name}`), {table}.`{name}`)"
        for name in [*others, "version"]
    ]


def _keys(resource: Resource) -> list[str]:
    id_type = resource.id_type.ddl + (f" {_ASCII}" if resource.key else "")
    return [
        f"owner VARCHAR(128) {_ASCII} NOT NULL",
        f"id {id_type} NOT NULL",
        f"version CHAR(26) {_ASCII} NOT NULL",
        "PRIMARY KEY (owner, id)",
    ]


def _values(resource: Resource) -> list[str]:
    fields = [
        f"`{c.name}` {c.type.ddl}" + (f" {_TEXT}" if c.type.name in ("VARCHAR", "MEDIUMTEXT") else "")
        for c in resource.columns
    ]
    return ["written_at DATETIME(6) NOT NULL", "deleted BOOLEAN NOT NULL", *fields]
