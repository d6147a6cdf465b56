"""From JSON to an item that can be stored: by its class, and by what its class cannot say."""

from collections.abc import Iterable
from functools import cached_property
from typing import Generic, TypeVar

import msgspec

from sluice.columns import Column
from sluice.decimals import Spelling
from sluice.patterns import Patterned, unfit
from sluice.strict import checks

T = TypeVar("T", bound=msgspec.Struct)


class Unfit(ValueError):  # noqa: N818
    """JSON of the right types, in which one field has a value that cannot be taken."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field, self.detail = field, detail


class ItemDecoder(Generic[T]):
    """Decodes the items of a class."""

    def __init__(self, model: type[msgspec.Struct], strict: type[T], columns: Iterable[Column]) -> None:
        self._decoder = msgspec.json.Decoder(strict)
        self._checks = checks(model)
        self._spelling = Spelling(columns)
        self._model = model

    @cached_property
    def _patterned(self) -> Patterned:
        return Patterned.of(self._model)

    def decode(self, body: bytes) -> T:
        """Decode and check an item; its values are in the form in which they are stored.

        Raises msgspec's errors and RecursionError for what is not of its class, Unfit.
        """
        item = self._decoder.decode(body)
        if self._patterned.may_differ(body):
            for field, kind in self._patterned.fields.items():
                for place, pattern in unfit(kind, getattr(item, field)):
                    raise Unfit(f"{field}{place}", f"Expected `str` matching regex {pattern!r}")
        if spelt := self._spelling.fault(body):
            raise Unfit(*spelt)
        for field, check in self._checks.items():
            value = getattr(item, field)
            if value is not None:
                try:
                    setattr(item, field, check(value))
                except ValueError as error:
                    raise Unfit(field, str(error)) from None
        return item
