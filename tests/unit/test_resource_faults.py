"""A faulty resource class is reported with its file, its line and what to do, before anything is built."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import local.stack.__main__ as local_stack_command
from local.process import LocalError
from local.stack import lifecycle
from local.stack.resource_check import check_resource_classes

ROOT = Path(__file__).resolve().parents[2]
HEAD = """import datetime, enum, uuid
from decimal import Decimal
from typing import Annotated, Any, Literal
from msgspec import Meta, field
from sluice.model.resource import Digits, Item, resource
"""

# Kind: the code below HEAD, the line with the fault, a part of the message, a part of what to do.
FAULTS: dict[str, tuple[str, int, str, str]] = {
    "reserved field": (
        "@resource('hotels')\nclass Hotel(Item):\n    code: str\n    version: int\n",
        9, "Hotel.version: this name is reserved", "such as item_version",
    ),
    "capital letters": (
        "@resource('hotels')\nclass Hotel(Item):\n    Stars: int\n", 8, "Hotel.Stars", "such as item_stars"
    ),
    "reserved collection": (
        "@resource('openapi')\nclass Hotel(Item):\n    code: str\n", 7, "cannot name a collection", "choose a name"
    ),
    "bad default": (
        "@resource('hotels')\nclass Hotel(Item):\n    code: str\n    stars: Annotated[int, Meta(ge=1)] = 0\n",
        9, "its default 0 cannot be kept", "correct the default",
    ),
    "default of an optional field": (
        "@resource('hotels')\nclass Hotel(Item):\n    stars: int | None = 3\n", 8, "must be None", "write `= None`"
    ),
    "unknown type": (
        "@resource('hotels')\nclass Hotel(Item):\n    code: str\n    size: complex\n",
        9, "no column type", "use a type of",
    ),
    "type that is not imported": (
        "@resource('hotels')\nclass Hotel(Item):\n    at: Moment\n", 8, "'Moment' is not defined", "import the name"
    ),
    "union": ("@resource('hotels')\nclass Hotel(Item):\n    code: int | str\n", 8, "a union", "choose one type"),
    "digits": (
        "@resource('hotels')\nclass Hotel(Item):\n    rate: Annotated[Decimal, Digits(70, 2)]\n",
        8, "exceeds 65 digits", "lower the numbers",
    ),
    "index on unbounded text": (
        "@resource(\n    'hotels',\n    indexes=['text'],\n)\nclass Hotel(Item):\n    text: str\n",
        8, "cannot hold text", "Meta(max_length=…)",
    ),
    "index on nothing": (
        "@resource('hotels', indexes=['stars'])\nclass Hotel(Item):\n    code: str\n",
        6, "names stars, which is not a field", "correct the name",
    ),
    "index on a default": (
        "@resource('hotels', indexes=['stars'])\nclass Hotel(Item):\n    stars: int = 1\n",
        6, "would not find stars", "remove the default",
    ),
    "optional key": (
        "@resource('hotels', key='code')\nclass Hotel(Item):\n    code: str | None = None\n",
        6, "the key 'code' must be a required field", "of type str",
    ),
    "example": (
        "@resource('hotels',\n    examples=[{'stars': 'x'}])\nclass Hotel(Item):\n    stars: int\n",
        7, "an example is not a valid item", "correct the example",
    ),
    "required field after a default": (
        "@resource('hotels')\nclass Hotel(Item):\n    stars: int = 1\n    code: str\n",
        9, "Required field 'code'", "kw_only=True",
    ),
    "a collection of two classes": (
        "@resource('rooms')\nclass Room(Item):\n    code: str\n", 7, "is declared in", "rename one of the two"
    ),
    "not Python": (
        "@resource('hotels')\nclass Hotel(Item)\n    code: str\n", 7, "this is not Python", "correct the line"
    ),
    "import of what is not there": ("import pandas_of_nobody\n", 6, "No module named", "import only"),
    "row too long": (
        "@resource('hotels')\nclass Hotel(Item):\n"
        + "".join(f"    text{number}: Annotated[str, Meta(max_length=500)]\n" for number in range(40)),
        7, "its row has up to", "raise some max_length above 512",
    ),
    "row too long for its page": (
        "@resource('hotels')\nclass Hotel(Item):\n"
        + "".join(f"    text{number}: Annotated[str, Meta(max_length=32)]\n" for number in range(61)),
        7, "bytes in its page", "raise short max_length to 64",
    ),
}  # fmt: skip


def write_package(folder: Path, code: str) -> Path:
    """Write a package of resources with one sound class and one of this code, beside a link to the service's code."""
    package = folder / "src" / "resources"
    package.mkdir(parents=True)
    (folder / "src" / "sluice").symlink_to(ROOT / "src" / "sluice")
    (package / "__init__.py").write_text("")
    rooms = f"{HEAD}@resource('rooms')\nclass Suite(Item):\n    code: str\n"
    (package / "all_rooms.py").write_text(rooms)
    (package / "hotels.py").write_text(HEAD + code)
    return package


def check_package(folder: Path) -> tuple[int, list[str]]:
    # Python resolves links in __file__ only for the main module, so the package is named instead of searched.
    program = (
        "import sys; from pathlib import Path; from sluice.model.resource_faults import find_resource_faults as find;"
        "print(*find(Path(sys.argv[1])), sep='\\n')"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, str(folder / "src" / "resources")],
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in process.stderr, process.stderr
    return process.returncode, process.stdout.split("\n")[:-1]


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_has_file_line_and_way_out(kind: str, tmp_path: Path) -> None:
    code, line, message, fix = FAULTS[kind]
    write_package(tmp_path, code)
    _, [fault] = check_package(tmp_path)
    assert fault.startswith(f"src/resources/hotels.py:{line}: "), fault
    assert message in fault
    assert fix in fault.rpartition(": ")[2] or fix in fault, fault
    assert "see docs/reference/resources.md." not in fault, "the kind has no way out of its own"
    assert fault.endswith(".")


def test_every_faulty_file_is_reported(tmp_path: Path) -> None:
    package = write_package(tmp_path, "@resource('hotels')\nclass Hotel(Item):\n    id: int\n")
    (package / "trains.py").write_text(HEAD + "@resource('Trains')\nclass Train(Item):\n    code: str\n")
    _, faults = check_package(tmp_path)
    assert [fault.partition(":")[0] for fault in faults] == ["src/resources/hotels.py", "src/resources/trains.py"]


def test_the_classes_of_the_checkout_have_no_fault() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "sluice.model", "check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_lines_are_validated_as_items() -> None:
    good = (
        '{"passenger":"A","departs_at":"2026-12-24T09:30:00Z","seats":1,'
        '"price":"1.5","cabin":"first","airports":["EDDF","LPPT"]}'
    )
    process = subprocess.run(
        [sys.executable, "-m", "sluice.model", "validate", "bookings"],
        cwd=ROOT,
        input=f"{good}\n{good.replace('1.5', '1.555')}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert process.stdout.startswith('[2, "price: Expected a decimal number')


def test_the_local_stack_ends_with_one_sentence_before_it_builds(tmp_path: Path) -> None:
    package = write_package(tmp_path, "@resource('hotels')\nclass Hotel(Item):\n    id: int\n")
    (package / "trains.py").write_text(HEAD + "@resource('Trains')\nclass Train(Item):\n    code: str\n")
    (tmp_path / "src" / "sluice").unlink()
    shutil.copytree(ROOT / "src" / "sluice", tmp_path / "src" / "sluice", ignore=shutil.ignore_patterns("__pycache__"))
    reported: list[str] = []
    with pytest.raises(LocalError) as caught:
        check_resource_classes(reported.append, tmp_path / "src")
    assert str(caught.value).startswith("src/resources/hotels.py:8: Hotel.id: this name is reserved")
    assert str(caught.value).endswith(
        "rename the field in lower case, such as item_id (nothing was built; 1 more above)."
    )
    assert [line.partition(":")[0] for line in reported] == ["src/resources/trains.py"]


@pytest.mark.parametrize("command", ["up", "build"])
def test_each_command_that_builds_checks_first(command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(_report: object) -> None:
        raise LocalError("A class is faulty.")

    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path / "stack"))
    monkeypatch.setattr(lifecycle, "check_resource_classes", refuse)
    monkeypatch.setattr(local_stack_command, "check_resource_classes", refuse)
    monkeypatch.setattr(sys, "argv", ["local.stack", command])
    assert local_stack_command.main() == 1
    assert not (tmp_path / "stack").exists()
