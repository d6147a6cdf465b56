"""The functions' code in a built package follows the modules of the source folder without `sam build`."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local.process import LocalError
from local.stack.shared_code import SharedCode


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "src"
    (source / "service").mkdir(parents=True)
    (source / "service" / "first.py").write_text("VALUE = 1\n")
    (source / "service" / "second.py").write_text("VALUE = 2\n")
    return source


@pytest.fixture
def code(source: Path, tmp_path: Path) -> SharedCode:
    """The code as `sam build` leaves it: a dependency and a copy of the modules."""
    folder = tmp_path / "build" / "Function"
    (folder / "library").mkdir(parents=True)
    (folder / "library" / "part.py").write_text("PART = 1\n")
    code = SharedCode(folder, source)
    code.refresh_folder()
    code.pack()
    return code


def run_archive(archive: Path, statement: str, tmp_path: Path) -> str:
    """What a statement prints with the unpacked archive as the only import folder."""
    folder = tmp_path / "unpacked" / str(archive.stat().st_mtime_ns)
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder)
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {statement}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_change_reaches_the_archive_with_its_bytecode(code: SharedCode, source: Path, tmp_path: Path) -> None:
    (source / "service" / "first.py").write_text("import library.part\nVALUE = 7\n")
    code.refresh()
    statement = "from service import first; print(first.VALUE, first.library.part.PART, first.__cached__)"
    value, part, cached = run_archive(code.archive, statement, tmp_path).split()
    assert (value, part) == ("7", "1")
    # Python runs unchecked bytecode, whatever the module says: without a new one it would print 1.
    assert Path(cached).exists()


def test_an_archive_has_what_the_source_folder_has(code: SharedCode, source: Path) -> None:
    (source / "service" / "second.py").unlink()
    (source / "service" / "part").mkdir()
    (source / "service" / "part" / "third.py").write_text("")
    code.refresh()
    with zipfile.ZipFile(code.archive) as files:
        names = {name for name in files.namelist() if "__pycache__" not in name}
        compiled = {Path(name).name.split(".")[0] for name in files.namelist() if "__pycache__" in name}
    assert names == {"library/part.py", "service/first.py", "service/part/third.py"}
    assert compiled == {"first", "third"}


def test_the_same_modules_give_the_same_archive(code: SharedCode, source: Path) -> None:
    before = code.archive.read_bytes()
    first = source / "service" / "first.py"
    text = first.read_text()
    first.write_text("VALUE = 3\n")
    code.refresh()
    assert code.archive.read_bytes() != before
    first.write_text(text)
    code.refresh()
    assert code.archive.read_bytes() == before
    with zipfile.ZipFile(code.archive) as files:
        assert len({entry.date_time for entry in files.infolist()}) == 1
        assert files.infolist()[0].date_time[0] == 1980


def test_a_stack_that_shares_the_files_keeps_its_own(code: SharedCode, source: Path, tmp_path: Path) -> None:
    built = code.folder / "service" / "first.py"
    other = tmp_path / "other.py"
    other.hardlink_to(built)
    (source / "service" / "first.py").write_text("VALUE = 3\n")
    code.refresh()
    assert (built.read_text(), other.read_text()) == ("VALUE = 3\n", "VALUE = 1\n")


def test_a_syntax_error_leaves_the_archive(code: SharedCode, source: Path) -> None:
    before = code.archive.read_bytes()
    (source / "service" / "first.py").write_text("VALUE = (\n")
    with pytest.raises(LocalError, match=r"first\.py cannot be compiled"):
        code.refresh()
    assert code.archive.read_bytes() == before
