"""Which type holds every value of another."""

from sluice.columns import ColumnType


def widens(before: ColumnType, after: ColumnType) -> bool:
    """Say whether every value stored as `before` stays the same when stored as `after`."""
    match before.name, after.name:
        case "VARCHAR", "VARCHAR":
            return (after.length or 0) >= (before.length or 0)
        case "VARCHAR", "MEDIUMTEXT":
            return True
        case "DECIMAL", "DECIMAL":
            return _scale(after) >= _scale(before) and _whole(after) >= _whole(before)
    return before == after


def _scale(type_: ColumnType) -> int:
    return type_.scale or 0


def _whole(type_: ColumnType) -> int:
    return (type_.precision or 0) - _scale(type_)
