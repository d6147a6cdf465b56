"""Decimals: which texts are one, and in which form one is kept."""

import re
from collections.abc import Callable, Iterable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any

import msgspec
from msgspec import Raw

from sluice.columns import Column, ColumnType

# Python's own context would round to 28 digits; this one holds every digit and exponent that a record can bring.
_EXACT = Context(prec=1 << 20, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[])
_ABSENT = Raw(b"null")


def digits(type_: ColumnType) -> tuple[int, int]:
    """How many digits a decimal column has before and behind the point."""
    return (type_.precision or 0) - (type_.scale or 0), type_.scale or 0


def pattern(type_: ColumnType) -> str:
    """The pattern of the texts that are a decimal for a column, as the contract has it."""
    before, behind = digits(type_)
    whole = f"[0-9]{{1,{before}}}" if before else "0"
    return f"^-?{whole}(\\.[0-9]{{1,{behind}}})?$" if behind else f"^-?{whole}$"


def fault(type_: ColumnType) -> str:
    """What is said of a text or number that is none."""
    before, behind = digits(type_)
    return f"Expected a decimal number with at most {before} digits before and {behind} behind the point"


def kept(type_: ColumnType) -> Callable[[Decimal], Decimal]:
    """Make the function that returns a decimal in the one form in which its column's values are kept: 100, not 1E+2.

    It raises ValueError for one that the column cannot hold.
    """
    before, behind = digits(type_)

    def check(value: Decimal) -> Decimal:
        if not value.is_finite():
            raise ValueError("Expected a finite number")
        value = value.normalize(_EXACT)
        # The place of the first digit tells first: an exponent can make a text of any length.
        if not value or -behind <= value.adjusted() < before:
            text = f"{value:f}"
            if len(text.partition(".")[2]) <= behind:
                return Decimal(text)
        raise ValueError(fault(type_))

    return check


class Spelling:
    """Looks at the decimals of an item that are texts: Python takes more for one than the contract says."""

    def __init__(self, columns: Iterable[Column]) -> None:
        types = {one.name: one.type for one in columns if one.type.name == "DECIMAL"}
        # A number and a null are spelt as JSON has them.
        spelt = [
            re.compile(f'[^"].*|"{pattern(type_)[1:-1]}"'.encode(), re.DOTALL).fullmatch for type_ in types.values()
        ]
        self._columns = list(zip(types.items(), spelt, strict=True))
        fields: list[Any] = [(name, Raw, _ABSENT) for name in types]
        self._decode = msgspec.json.Decoder(msgspec.defstruct("Decimals", fields)).decode

    def fault(self, body: bytes) -> tuple[str, str] | None:
        """The first field of an item with another spelling, and what is said of it. `body` has been decoded before."""
        if self._columns:
            texts = msgspec.structs.astuple(self._decode(body))
            for ((name, type_), spelt), text in zip(self._columns, texts, strict=True):
                if not spelt(text) and not spelt(_without_escapes(text)):
                    return name, fault(type_)
        return None


def _without_escapes(text: Raw) -> bytes:
    return f'"{msgspec.json.decode(text, type=str)}"'.encode()
