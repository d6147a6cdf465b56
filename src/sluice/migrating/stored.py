"""SQLAlchemy's types and ours: what a declared column renders as, and what a reflected one is."""

from typing import Any

from sqlalchemy import Column, types
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql
from sqlalchemy.types import TypeEngine, UserDefinedType

from sluice.columns import ColumnType
from sluice.migrating.shapes import Shape, type_ddl

_DIALECT = MySQLDialect_pymysql()


class Stored(UserDefinedType[Any]):
    """A column type of ours as SQLAlchemy takes it: rendered word for word as `ColumnType.ddl` has it."""

    cache_ok = True

    def __init__(self, type_: ColumnType, collation: str | None = None) -> None:
        self.type_ = type_
        self.collation = collation

    def get_col_spec(self, **_: Any) -> str:
        return type_ddl(self.type_, self.collation)


def shape_of(column: Column[Any], table_collation: str | None = None) -> Shape:
    """The shape of a column, declared or reflected. `table_collation` is what a text column without its own has."""
    if isinstance(column.type, Stored):
        type_, collation = column.type.type_, column.type.collation
    else:
        collation = getattr(column.type, "collation", None)
        type_ = _reflected(column.type, collation)
        if type_.name == "JSON":
            collation = None
        elif isinstance(column.type, types.String):
            collation = collation or table_collation
    return Shape(type_, collation, bool(column.nullable), column.comment)


def _reflected(type_: TypeEngine[Any], collation: str | None) -> ColumnType:
    name = type(type_).__name__
    match type_:
        case mysql.LONGTEXT() if collation == "utf8mb4_bin":
            found = ColumnType("JSON")  # which MariaDB keeps as LONGTEXT in this collation, whatever the table's
        case mysql.TINYINT(display_width=1):
            found = ColumnType("BOOLEAN")
        case mysql.INTEGER(unsigned=True):
            found = ColumnType("INT UNSIGNED")
        case mysql.DATETIME(fsp=digits):
            found = ColumnType(name, precision=digits)
        case mysql.DECIMAL(unsigned=False, precision=precision, scale=scale):
            found = ColumnType(name, precision=precision, scale=scale)
        case mysql.VARCHAR(length=length) | mysql.CHAR(length=length):
            found = ColumnType(name, length=length)
        case types.UUID() | mysql.MEDIUMTEXT() | mysql.LONGTEXT() | mysql.BIGINT(unsigned=False):
            found = ColumnType(name)
        case mysql.DOUBLE(precision=None):
            found = ColumnType(name)
        case _:
            found = ColumnType(type_.compile(dialect=_DIALECT).upper())
    return found
