"""The figures about readability count what they say, on a small tree."""

import subprocess
from pathlib import Path

import pytest

from tools import code_figures, post_path

POST = """
from sluice.observability import count
from sluice.reader import parse, text_of
from sluice.writer import write


def handle(event, context):
    count()
    item = parse(event)
    write(item)
    text_of(item)
    return {"statusCode": 202, "body": "{}"}
"""
READER = "def parse(event):\n    return _body(event)\n\n\ndef _body(event):\n    return event\n\n\ndef text_of(item):\n    return str(item)\n"  # noqa: E501
WRITER = "from sluice.reader import text_of\n\n\ndef write(found):\n    return text_of(found)\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with a handler of a POST and two modules that it calls."""
    files = {
        "src/sluice/__init__.py": "",
        "src/sluice/handlers/__init__.py": "",
        "src/sluice/handlers/post.py": POST,
        "src/sluice/observability.py": "def count():\n    pass\n",
        "src/sluice/reader.py": READER,
        "src/sluice/writer.py": WRITER,
        "src/sluice/other/__init__.py": "",
        "src/sluice/other/reader.py": '"""Nothing yet."""\n\nLIMIT = 1\n',
        "src/resources/things.py": "class Thing:\n    found: str\n    given: str\n",
        "events/post/booking.json": "{}",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_each_figure_is_counted(tree: Path) -> None:
    figures = code_figures.measure_tree(tree)
    assert figures["modules with code in src"] == 5
    assert figures["package markers in src"] == 3
    assert figures["file names used more than once"] == 1  # reader.py
    assert figures["modules with exactly one importer"] == 2  # observability and writer; reader has two
    assert figures["one-word function names"] == 83  # all of six but text_of
    assert figures["uses of `found` as a name"] == 2
    assert figures["uses of `given` as a name"] == 0


def test_a_second_step_into_a_module_is_a_return(tree: Path) -> None:
    path = post_path.trace_post(tree)
    assert path.modules == ["handlers/post.py", "reader.py", "writer.py"]
    assert path.returns == ["writer.py -> reader.py (text_of)", "handlers/post.py -> reader.py (text_of)"]


def test_a_handler_that_does_not_accept_the_event_is_an_error(tree: Path) -> None:
    handler = tree / "src/sluice/handlers/post.py"
    handler.write_text(handler.read_text().replace("202", "422"))
    with pytest.raises(subprocess.CalledProcessError):
        post_path.trace_post(tree)


def test_a_figure_above_its_limit_is_a_finding(tree: Path) -> None:
    figures = code_figures.measure_tree(tree)
    assert code_figures.exceeded_limits(figures) == [
        "one-word function names: 83, and at most 44 are allowed",
        "returns on the path of a POST: 2, and at most 1 are allowed",
        "uses of `found` as a name: 2, and at most 0 are allowed",
    ]
