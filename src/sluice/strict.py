"""A resource class with every limit that its columns set, so that what is accepted can also be stored."""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Meta

from sluice import decimals
from sluice.columns import column_type, peel

T = TypeVar("T", bound=type[msgspec.Struct])

# MariaDB's JSON_VALID refuses deeper nesting, and with it the whole row.
DEEPEST_JSON = 31
_INT64 = 2**63

# What cannot hold anything else.
_VALUES = {bool, int, float, str, Decimal, datetime.date, datetime.datetime}

Check = Callable[[Any], Any]


def strict_model(model: T) -> T:
    """Derive the class that data is decoded with: integers fit 64 bits, date-times carry a time zone.

    Raises TypeError, naming class and field, for a type that msgspec refuses and a default that no column could keep.
    """
    hints = get_type_hints(model, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(model):
        annotation = _tightened(hints[field.name])
        try:
            _prove(annotation, field)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{model.__name__}.{field.name}: {error}") from None
        if field.default is not msgspec.NODEFAULT:
            fields.append((field.name, annotation, field.default))
        elif field.default_factory is not msgspec.NODEFAULT:
            fields.append((field.name, annotation, msgspec.field(default_factory=field.default_factory)))
        else:
            fields.append((field.name, annotation))
    return msgspec.defstruct(  # type: ignore[return-value]
        model.__name__,
        fields,
        bases=(model,),
        module=model.__module__,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def checks(model: type[msgspec.Struct]) -> dict[str, Check]:
    """What msgspec's constraints cannot say, by field: each takes a value and returns the one to store.

    A check raises ValueError with a sentence for a value that its column cannot hold.
    """
    found: dict[str, Check] = {}
    hints = get_type_hints(model, include_extras=True)
    for field in msgspec.structs.fields(model):
        if check := _check(hints[field.name]):
            found[field.name] = check
    return found


def _check(annotation: Any) -> Check | None:
    bare, type_ = peel(annotation)[0], column_type(annotation)
    if bare is Decimal:
        return decimals.kept(type_)
    if bare is datetime.datetime:
        return _in_utc
    return _shallow if type_.name == "JSON" and not _is_flat(bare) else None


def _is_flat(container: Any) -> bool:
    """Whether what a container holds is a value, by its type: then there is no nesting to count."""
    try:
        inner = [peel(one)[0] for one in get_args(container) if one is not ...]
    except TypeError:  # a union of several types
        return False
    return bool(inner) and all(one in _VALUES for one in inner)


def _prove(annotation: Any, field: msgspec.structs.FieldInfo) -> None:
    """Put a field to the proof when it is described, not when the first client comes."""
    decoder = msgspec.json.Decoder(annotation)
    if field.required:
        return
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    try:
        value = decoder.decode(msgspec.json.encode(default))
        check = _check(annotation)
        if check and value is not None:
            check(value)
    except ValueError as error:
        raise ValueError(f"its default {default!r} cannot be kept: {error}") from None


def _tightened(annotation: Any) -> Any:
    bare, metadata, optional = peel(annotation)
    metas = [meta for meta in metadata if isinstance(meta, Meta)]
    extra: list[Meta] = []
    if bare is int:
        if not any(m.ge is not None or m.gt is not None for m in metas):
            extra.append(Meta(ge=-_INT64))
        if not any(m.le is not None or m.lt is not None for m in metas):
            extra.append(Meta(le=_INT64 - 1))
    elif bare is datetime.datetime and not any(m.tz for m in metas):
        extra.append(Meta(tz=True))
    if metadata or extra:
        bare = Annotated[(bare, *metadata, *extra)]
    return bare | None if optional else bare


def _in_utc(value: datetime.datetime) -> datetime.datetime:
    try:
        return value.astimezone(datetime.UTC)
    except OverflowError:
        raise ValueError("Expected a date-time from year 1 to 9999 in UTC") from None


def _shallow(value: Any) -> Any:
    if not _fits(msgspec.to_builtins(value), DEEPEST_JSON):
        raise ValueError(f"Expected at most {DEEPEST_JSON} levels of nesting")
    return value


def _fits(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(_fits(inner, levels - 1) for inner in value)
