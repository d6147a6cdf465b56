"""What `make dev` sees of changed sources, and what it says of broken ones."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from local.dev import imports
from local.dev.sources import SourceWatcher


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("src/resources", "statemachines", "layers"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("template.yaml", "api.json", "samconfig.toml", "src/resources/notes.py"):
        (tmp_path / name).write_text("1")
    return tmp_path


def change_later(*files: Path, text: str) -> None:
    """Change files while the test waits for it."""

    def change() -> None:
        for file in files:
            file.write_text(text)

    threading.Timer(0.2, change).start()


def replace(file: Path, text: str) -> None:
    """Save a file as many editors do: write another one, and give it the name."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


def test_a_change_of_several_files_is_one_round(root: Path) -> None:
    changes = SourceWatcher(root).wait_for_changes()
    change_later(root / "src/resources/notes.py", root / "src/new.py", text="2")
    assert next(changes) == ["src/new.py", "src/resources/notes.py"]


def test_a_replaced_template_is_seen_each_time(root: Path) -> None:
    watcher = SourceWatcher(root)
    changes = watcher.wait_for_changes()
    for text in ("2", "3"):
        threading.Timer(0.2, replace, [root / "template.yaml", text]).start()
        assert next(changes) == ["template.yaml"]
        watcher.mark_as_served()


def test_what_was_not_served_stays_changed(root: Path) -> None:
    changes = SourceWatcher(root).wait_for_changes()
    change_later(root / "template.yaml", text="2")
    assert next(changes) == ["template.yaml"]
    change_later(root / "src/resources/notes.py", text="2")
    assert next(changes) == ["src/resources/notes.py", "template.yaml"]
    change_later(root / "src/resources/notes.py", root / "template.yaml", text="1")
    assert next(changes) == []


def test_a_file_that_is_only_written_again_is_no_change(root: Path) -> None:
    changes = SourceWatcher(root).wait_for_changes()
    change_later(root / "api.json", text="2")
    change_later(root / "template.yaml", text="1")
    threading.Timer(0.8, (root / "src/resources/notes.py").unlink).start()
    assert next(changes) == ["src/resources/notes.py"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1\ndef f(:\n", "2: invalid syntax"),
        ("\n\nfrom os import nothing_like_this\n", "3: ImportError: cannot import name 'nothing_like_this'"),
        ("x = 1\nx + y\n", "2: NameError: name 'y' is not defined"),
        ("from json import loads\nloads('{')\n", "2: JSONDecodeError: "),
        ("x = 1\n", ""),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_its_line(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "__init__.py").touch()
    (tmp_path / "part" / "__main__.py").write_text("raise SystemExit(3)")
    module = tmp_path / "part" / "module.py"
    module.write_text(text)
    process = subprocess.run(
        [sys.executable, "-B", imports.__file__, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert process.returncode == (1 if fault else 0), process.stderr
    assert process.stdout.startswith(f"{module}:{fault}" if fault else "\n")
