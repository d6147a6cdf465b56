"""Column types: the shape of a column that a comparison looks at, and its conversion from and to SQLAlchemy."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, types
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql
from sqlalchemy.types import TypeEngine, UserDefinedType

from sluice.model.columns import ColumnType
from sluice.schema.ddl_executor import TEXT_COLLATION

PRESENCES = frozenset({"required", "default", "optional"})

_TEXT_TYPES = frozenset({"CHAR", "VARCHAR", "MEDIUMTEXT", "LONGTEXT"})
_DIALECT = MySQLDialect_pymysql()


@dataclass(frozen=True)
class ColumnShape:
    """Type, collation (texts only), whether NULL is allowed, and the column's comment.

    A field's comment is its presence (`required`, `default`, `optional`). The id's comment is the name of the key
    field.
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
        return render_type(self.type, self.collation)


def render_type(type_: ColumnType, collation: str | None) -> str:
    """The type in DDL, with its character set and collation."""
    if collation is None:
        return type_.ddl
    return f"{type_.ddl} CHARACTER SET {collation.partition('_')[0]} COLLATE {collation}"


def choose_collation(type_: ColumnType) -> str | None:
    """The collation of a field of this type. JSON has MariaDB's own."""
    return TEXT_COLLATION if type_.name in _TEXT_TYPES else None


class DeclaredType(UserDefinedType[Any]):
    """One of our column types for SQLAlchemy: it renders exactly as `ColumnType.ddl`."""

    cache_ok = True

    def __init__(self, type_: ColumnType, collation: str | None = None) -> None:
        self.type_ = type_
        self.collation = collation

    def get_col_spec(self, **_: Any) -> str:
        return render_type(self.type_, self.collation)


def read_shape(column: Column[Any], table_collation: str | None = None) -> ColumnShape:
    """The shape of a declared or reflected column. A text column without a collation has `table_collation`."""
    if isinstance(column.type, DeclaredType):
        type_, collation = column.type.type_, column.type.collation
    else:
        collation = getattr(column.type, "collation", None)
        type_ = _parse_reflected_type(column.type, collation)
        if type_.name == "JSON":
            collation = None
        elif isinstance(column.type, types.String):
            collation = collation or table_collation
    return ColumnShape(type_, collation, bool(column.nullable), column.comment)


def _parse_reflected_type(type_: TypeEngine[Any], collation: str | None) -> ColumnType:
    name = type(type_).__name__
    match type_:
        case mysql.LONGTEXT() if collation == "utf8mb4_bin":
            parsed = ColumnType("JSON")  # MariaDB stores JSON as LONGTEXT in this collation, whatever the table's is
        case mysql.TINYINT(display_width=1):
            parsed = ColumnType("BOOLEAN")
        case mysql.INTEGER(unsigned=True):
            parsed = ColumnType("INT UNSIGNED")
        case mysql.DATETIME(fsp=digits):
            parsed = ColumnType(name, precision=digits)
        case mysql.DECIMAL(unsigned=False, precision=precision, scale=scale):
            parsed = ColumnType(name, precision=precision, scale=scale)
        case mysql.VARCHAR(length=length) | mysql.CHAR(length=length):
            parsed = ColumnType(name, length=length)
        case types.UUID() | mysql.MEDIUMTEXT() | mysql.LONGTEXT() | mysql.BIGINT(unsigned=False):
            parsed = ColumnType(name)
        case mysql.DOUBLE(precision=None):
            parsed = ColumnType(name)
        case _:
            parsed = ColumnType(type_.compile(dialect=_DIALECT).upper())
    return parsed
