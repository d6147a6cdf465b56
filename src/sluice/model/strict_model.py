"""Derive the strict class of a resource: it has every limit that the columns set, so the table can store each item."""

import datetime
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
from msgspec import Meta

from sluice.model.columns import unwrap_annotation
from sluice.model.validation import create_field_check

T = TypeVar("T", bound=type[msgspec.Struct])

_INT64 = 2**63


def create_strict_model(model: T) -> T:
    """Derive the class that requests are decoded with: integers fit in 64 bits, date-times have a time zone.

    Raises TypeError, naming class and field, for a type that msgspec rejects or a default that the column cannot store.
    """
    hints = get_type_hints(model, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(model):
        annotation = _add_column_limits(hints[field.name])
        try:
            _verify_default(annotation, field)
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


def _verify_default(annotation: Any, field: msgspec.structs.FieldInfo) -> None:
    """Validate the type and the default when the resource is declared, not at the first request."""
    decoder = msgspec.json.Decoder(annotation)
    if field.required:
        return
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    try:
        value = decoder.decode(msgspec.json.encode(default))
        check = create_field_check(annotation)
        if check and value is not None:
            check(value)
    except ValueError as error:
        raise ValueError(f"its default {default!r} cannot be kept: {error}") from None


def _add_column_limits(annotation: Any) -> Any:
    bare, metadata, optional = unwrap_annotation(annotation)
    metas = [meta for meta in metadata if isinstance(meta, Meta)]
    limits: list[Meta] = []
    if bare is int:
        if not any(meta.ge is not None or meta.gt is not None for meta in metas):
            limits.append(Meta(ge=-_INT64))
        if not any(meta.le is not None or meta.lt is not None for meta in metas):
            limits.append(Meta(le=_INT64 - 1))
    elif bare is datetime.datetime and not any(meta.tz for meta in metas):
        limits.append(Meta(tz=True))
    if metadata or limits:
        bare = Annotated[(bare, *metadata, *limits)]
    return bare | None if optional else bare
