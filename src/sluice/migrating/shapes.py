"""A column as the schema has it: what of it counts when a live table is compared with a resource."""

from dataclasses import dataclass

from sluice.columns import ColumnType

# Binary, so that case and accents count, and no-pad, so that trailing spaces do: what a client wrote as two texts
# never compares as one. The padding utf8mb4_bin takes 'a' and 'a ' for the same.
TEXT = "utf8mb4_nopad_bin"
# For what the service itself makes or checks: one byte a character keeps the keys short.
ASCII = "ascii_bin"

PRESENCES = frozenset({"required", "default", "optional"})

_TEXT_TYPES = frozenset({"CHAR", "VARCHAR", "MEDIUMTEXT", "LONGTEXT"})


@dataclass(frozen=True)
class Shape:
    """Type, collation (text only), whether NULL is allowed, and the column's comment.

    A field's comment is its presence (`required`, `default`, `optional`); the id's is the key field's name.
    """

    type: ColumnType
    collation: str | None = None
    nullable: bool = True
    comment: str | None = None

    @property
    def is_field(self) -> bool:
        return self.comment in PRESENCES

    @property
    def ddl(self) -> str:
        return type_ddl(self.type, self.collation)


def type_ddl(type_: ColumnType, collation: str | None) -> str:
    """The type as DDL has it, its character set and collation spelled out."""
    if collation is None:
        return type_.ddl
    return f"{type_.ddl} CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}"


def collation_for(type_: ColumnType) -> str | None:
    """The collation of a field of this type. JSON has MariaDB's own."""
    return TEXT if type_.name in _TEXT_TYPES else None
