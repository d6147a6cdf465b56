"""The SQL of a load. Every identifier comes from the resources' own declarations; values are never part of it."""

from dataclasses import dataclass

from sluice.loading.rows import FORMAT
from sluice.resource import Resource

SYSTEM_COLUMNS = ("owner", "id", "version", "written_at", "deleted")
_ASCII = "CHARACTER SET ascii COLLATE ascii_bin"
_TEXT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"


@dataclass(frozen=True)
class Statements:
    """What is sent for one collection: make the stage, fill it, empty it, merge it into the table."""

    make: str
    fill: str
    empty: str
    merge: str


def statements(resource: Resource) -> Statements:
    """Write the statements for a resource."""
    table, stage = f"`{resource.collection}`", f"`stage_{resource.collection}`"
    names = [*SYSTEM_COLUMNS, *(column.name for column in resource.columns)]
    listed = ", ".join(f"`{name}`" for name in names)
    return Statements(
        make=f"CREATE OR REPLACE TEMPORARY TABLE {stage} ({', '.join(_definitions(resource))}) ENGINE=InnoDB",
        fill=f"LOAD DATA LOCAL INFILE 'batch' INTO TABLE {stage} {FORMAT} ({listed})",
        empty=f"DELETE FROM {stage}",  # noqa: S608
        merge=f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {stage} ORDER BY owner, id "  # noqa: S608
        f"ON DUPLICATE KEY UPDATE {', '.join(_updates(table, names))}",
    )


def _updates(table: str, names: list[str]) -> list[str]:
    """Take every column of the greater version. `version` comes last: the others compare with the stored one."""
    others = [name for name in names if name not in ("owner", "id", "version")]
    return [
        f"`{name}` = IF(VALUES(version) > {table}.version, VALUES(`{name}`), {table}.`{name}`)"
        for name in [*others, "version"]
    ]


def _definitions(resource: Resource) -> list[str]:
    id_type = resource.id_type.ddl + (f" {_ASCII}" if resource.key else "")
    fields = [
        f"`{c.name}` {c.type.ddl}" + (f" {_TEXT}" if c.type.name in ("VARCHAR", "MEDIUMTEXT") else "")
        for c in resource.columns
    ]
    return [
        f"owner VARCHAR(128) {_ASCII} NOT NULL",
        f"id {id_type} NOT NULL",
        f"version CHAR(26) {_ASCII} NOT NULL",
        "written_at DATETIME(6) NOT NULL",
        "deleted BOOLEAN NOT NULL",
        *fields,
        "PRIMARY KEY (owner, id)",
    ]
