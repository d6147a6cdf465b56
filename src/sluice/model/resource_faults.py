"""Report faulty resource classes before anything is built: file, line, fault, and what to do."""

import ast
import importlib
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sluice.model.resource import Resource, get_declared_resources

# MariaDB's limit of a row, of which long texts and JSON count only a pointer.
MAX_ROW_BYTES = 65_535
_SYSTEM_COLUMN_BYTES = 1_200
_COLUMN_BYTES = {"BOOLEAN": 1, "BIGINT": 8, "DOUBLE": 8, "DATE": 3, "DATETIME": 8, "UUID": 16, "DECIMAL": 30}
_POINTER_BYTES = 12
# InnoDB's limit of a row in a page of 16 KiB, and what the columns besides the fields have of it. A text that may have
# more than 255 bytes counts as a pointer, because it may be stored in another page.
MAX_PAGE_BYTES = 8_126
_SYSTEM_PAGE_BYTES = 330
_OUTSIDE_BYTES, _PAGE_POINTER_BYTES = 256, 21

# What to do, by a part of the message. The first match counts.
_FIXES: tuple[tuple[str, str], ...] = (
    (r"is reserved or is not a lower-case identifier", "rename the field in lower case, such as item_{name}"),
    (r"has the name .* in JSON", "remove `rename` or `name=`: a field, its column and its JSON have one name"),
    (r"a date-time needs a time zone", "remove tz=False"),
    (r"a union may only join", "choose one type, with `| None` when it may be absent"),
    (r"has no column type", "use a type of docs/reference/resources.md, such as str, int, Decimal or list"),
    (r"exceeds \d+ digits", "lower the numbers of Digits(precision, scale)"),
    (r"values of an enumeration|an enumeration needs values", "use values that are all text or all int"),
    (r"default of a field that may be null", "write `= None`, or remove `| None`"),
    (r"its default .* cannot be kept", "correct the default, or remove it to make the field required"),
    (r"the key .* must be a required field", "let `key` name a field of type str without a default"),
    (r"cannot name a collection", "choose a name of lower-case letters, digits and underscores that is not reserved"),
    (r"is declared in .* too", "rename one of the two collections"),
    (r"must be a subclass of Item", "derive the class from Item"),
    (r"cannot be frozen, array_like or tagged", "remove these options of the class"),
    (r"the first revision is", "write revision=1, or leave it out"),
    (r"the index .* cannot hold .*MEDIUMTEXT", "give the text Annotated[str, Meta(max_length=…)] of at most 512"),
    (r"the index .* cannot hold", "take the field out of the index"),
    (r"the index .* names ", "correct the name in `indexes`; the key needs no index"),
    (r"the index .* a parameter of every list", "rename the field, or take it out of the index"),
    (r"the index .* would not find", "remove the default of the field, or make it None"),
    (r"the index .* declared twice", "remove one of the two"),
    (r"the index .* has (a name|keys) of more than", "shorten the index or the texts in it"),
    (r"the index .* needs fields", "name each field once"),
    (r"an example is not a valid item", "correct the example"),
    (r"Required field .* cannot follow optional", "move the field up, or write class …(Item, kw_only=True)"),
    (r"its row has up to .* in its page", "raise short max_length to 64: such texts may be stored outside it"),
    (r"its row has up to", "raise some max_length above 512: such texts are stored outside the row"),
    (r"Can only set|not supported|is not supported", "use a type of docs/reference/resources.md"),
    (r"is not defined", "import the name, or correct it"),
    (r"No module named|cannot import name", "import only what the functions have: msgspec and sluice.model.resource"),
)  # fmt: skip
_OTHER_FIX = "see docs/reference/resources.md"
_FIELD_MESSAGE = re.compile(r"^\w+\.(?P<field>\w+): ")
_NAMED_FIELD = re.compile(r"[Ff]ield '(?P<field>\w+)'")
_OPTIONS = (("key", r"the key "), ("indexes", r"the index "), ("examples", r"an example "), ("revision", r"revision"))


@dataclass(frozen=True)
class ResourceFault:
    """A fault of a resource class. `file` is relative to the folder of the package `resources`."""

    file: str
    line: int
    message: str
    fix: str

    def __str__(self) -> str:
        return f"src/resources/{self.file}:{self.line}: {self.message}: {self.fix}."


def find_resource_faults(folder: Path, package: str = "resources") -> list[ResourceFault]:
    """Import every module of a package of resources, and return the fault of each one that has a fault.

    `folder` is the folder of the package, whose parent must be on Python's path.
    """
    faults = [_find_module_fault(path, package) for path in sorted(folder.glob("*.py"))]
    for resource in get_declared_resources().values():
        module, _, name = resource.model.__module__.rpartition(".")
        if module == package:
            faults.append(_find_row_fault(resource, folder / f"{name}.py"))
    return [fault for fault in faults if fault]


def _find_module_fault(path: Path, package: str) -> ResourceFault | None:
    module = package if path.stem == "__init__" else f"{package}.{path.stem}"
    try:
        tree = ast.parse(path.read_text(), str(path))
        importlib.import_module(module)
    except SyntaxError as error:
        return ResourceFault(path.name, error.lineno or 1, f"this is not Python: {error.msg}", "correct the line")
    except Exception as error:  # noqa: BLE001  a class can raise anything while Python creates it
        message = str(error) or type(error).__name__
        line = _locate_fault(tree, message) or _find_traceback_line(error, path)
        return ResourceFault(path.name, line, _shorten(message), _choose_fix(message))
    return None


def describe_row_fault(resource: Resource) -> str | None:
    """Describe why MariaDB cannot have a row of a resource, or return None if it can."""
    size = _SYSTEM_COLUMN_BYTES
    page_size = _SYSTEM_PAGE_BYTES + len(resource.columns) // 8
    for column in resource.columns:
        if column.type.name == "VARCHAR":
            text_size = 4 * (column.type.length or 0)
            size += 2 + text_size
            page_size += 1 + text_size if text_size < _OUTSIDE_BYTES else _PAGE_POINTER_BYTES
        else:
            size += _COLUMN_BYTES.get(column.type.name, _POINTER_BYTES)
            page_size += _COLUMN_BYTES.get(column.type.name, _PAGE_POINTER_BYTES)
    if size > MAX_ROW_BYTES:
        return f"its row has up to {size:,} bytes, and MariaDB stores {MAX_ROW_BYTES:,}"
    if page_size > MAX_PAGE_BYTES:
        return f"its row has up to {page_size:,} bytes in its page, and MariaDB stores {MAX_PAGE_BYTES:,} there"
    return None


def _find_row_fault(resource: Resource, path: Path) -> ResourceFault | None:
    fault = describe_row_fault(resource)
    if fault is None:
        return None
    message = f"{resource.model.__name__}: {fault}"
    line = _locate_class(ast.parse(path.read_text()), resource.model.__name__)
    return ResourceFault(path.name, line, message, _choose_fix(message))


def _shorten(message: str) -> str:
    text = " ".join(message.split()).rstrip(".")
    return text if len(text) <= 400 else f"{text[:399]}…"


def _choose_fix(message: str) -> str:
    field = match["field"] if (match := _FIELD_MESSAGE.match(message)) else "name"
    fix = next((fix for pattern, fix in _FIXES if re.search(pattern, message)), _OTHER_FIX)
    return fix.replace("{name}", field.lower())


def _locate_fault(tree: ast.Module, message: str) -> int | None:
    """The line of the field or option that a message names."""
    class_name = re.split(r"[.:]", message, maxsplit=1)[0]
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    for definition in [node for node in classes if node.name == class_name] or classes:
        if match := _FIELD_MESSAGE.match(message) or _NAMED_FIELD.search(message):
            for statement in definition.body:
                if isinstance(statement, ast.AnnAssign) and getattr(statement.target, "id", "") == match["field"]:
                    return statement.lineno
        for name, pattern in _OPTIONS:
            if re.search(pattern, message) and (line := _locate_option(definition, name)):
                return line
    return _locate_class(tree, class_name) if any(node.name == class_name for node in classes) else None


def _locate_option(definition: ast.ClassDef, name: str) -> int | None:
    for keyword in _iterate_options(definition):
        if keyword.arg == name:
            return keyword.value.lineno
    return None


def _iterate_options(definition: ast.ClassDef) -> Iterator[ast.keyword]:
    for decorator in definition.decorator_list:
        if isinstance(decorator, ast.Call):
            yield from decorator.keywords


def _locate_class(tree: ast.Module, class_name: str) -> int:
    lines = (node.lineno for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == class_name)
    return next(lines, 1)


def _find_traceback_line(error: Exception, path: Path) -> int:
    """The last line of the file that led to an error."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (lines[-1] if lines else None) or 1


def validate_item(resource: Resource, text: bytes) -> str | None:
    """Describe why a line of JSON is not an item of a resource, or return None if it is one."""
    try:
        resource.decoder.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    return None
