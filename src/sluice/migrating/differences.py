"""What can differ between the live schema and the resources: one small class per kind."""

from dataclasses import dataclass

from sluice.migrating.shapes import Shape


@dataclass(frozen=True)
class MissingTable:
    table: str


@dataclass(frozen=True)
class StrayTable:
    table: str


@dataclass(frozen=True)
class MissingColumn:
    table: str
    column: str
    after: Shape


@dataclass(frozen=True)
class StrayColumn:
    table: str
    column: str
    before: Shape


@dataclass(frozen=True)
class ChangedColumn:
    table: str
    column: str
    before: Shape
    after: Shape


@dataclass(frozen=True)
class ChangedScope:
    """The table's comment: `private` or `shared`."""

    table: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class MissingIndex:
    table: str
    index: str


@dataclass(frozen=True)
class StrayIndex:
    """An index or constraint that no resource asks for, or that differs from what is asked for under its name."""

    table: str
    index: str
    unique: bool = False


Difference = (
    MissingTable | StrayTable | MissingColumn | StrayColumn | ChangedColumn | ChangedScope | MissingIndex | StrayIndex
)
