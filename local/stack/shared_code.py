"""The functions' code in a built package: a folder and a zip file with the dependencies and the modules of `src`."""

import hashlib
import py_compile
import shutil
import zipfile
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path
from tempfile import NamedTemporaryFile

from local.process import LocalError
from local.stack.sam import CODE

_PACKED_AT = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a zip, so that the same modules give the same zip."""


class SharedCode:
    """The code in `folder`, and beside it the same as a zip file, and a zip file of the dependencies only.

    Other stacks have hard links to these files: a file is replaced, never written to.
    """

    def __init__(self, folder: Path, source: Path = CODE) -> None:
        self.folder = folder
        self.archive = folder.with_name(f"{folder.name}.zip")
        self._dependencies = folder.with_name(f"{folder.name}-dependencies.zip")
        self._source = source

    def fingerprint(self) -> str:
        """A hash of the modules in the source folder."""
        digest = hashlib.sha256()
        for path in self._list_modules():
            text = path.read_bytes()
            digest.update(f"{path.relative_to(self._source)}\0{len(text)}\0".encode() + text)
        return digest.hexdigest()

    def is_packed(self) -> bool:
        """Whether `pack` has run."""
        return self._dependencies.exists() and self.archive.exists()

    def pack(self) -> None:
        """Write the zip files of a folder that was built now."""
        with zipfile.ZipFile(self._dependencies, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in self._list_files():
                if not self._is_own(path):
                    self._add_file(archive, path)
        self._write_archive()

    def refresh(self) -> None:
        """Make folder and zip contain the modules of the source folder as they are now.

        Raises LocalError for a module with a syntax error, and leaves the zip as it was.
        """
        self.refresh_folder()
        self._write_archive()

    def refresh_folder(self) -> None:
        """Make only the folder contain them. Raises LocalError."""
        wanted = {path.relative_to(self._source) for path in self._list_modules()}
        for path in list(self._list_files()):
            if self._is_own(path) and path.suffix == ".py" and path.relative_to(self.folder) not in wanted:
                path.unlink()
                Path(cache_from_source(str(path))).unlink(missing_ok=True)
        for module in sorted(wanted):
            text = (self._source / module).read_bytes()
            target = self.folder / module
            if not target.exists() or target.read_bytes() != text:
                _compile(self._source / module, text, target)

    def _write_archive(self) -> None:
        with NamedTemporaryFile(dir=self.archive.parent, prefix=".code-", delete=False) as file:
            unfinished = Path(file.name)
        shutil.copyfile(self._dependencies, unfinished)
        with zipfile.ZipFile(unfinished, "a", zipfile.ZIP_DEFLATED) as archive:
            for path in self._list_files():
                if self._is_own(path):
                    self._add_file(archive, path)
        unfinished.replace(self.archive)

    def _list_modules(self) -> Iterator[Path]:
        return iter(sorted(path for path in self._source.rglob("*.py") if path.is_file()))

    def _list_files(self) -> Iterator[Path]:
        return iter(sorted(path for path in self.folder.rglob("*") if path.is_file()))

    def _is_own(self, path: Path) -> bool:
        """Whether a built file comes from the source folder: dependencies have other top-level names."""
        return (self._source / path.relative_to(self.folder).parts[0]).exists()

    def _add_file(self, archive: zipfile.ZipFile, path: Path) -> None:
        entry = zipfile.ZipInfo(path.relative_to(self.folder).as_posix(), _PACKED_AT)
        entry.external_attr = (path.stat().st_mode & 0xFFFF) << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, path.read_bytes())


def _compile(source: Path, text: bytes, target: Path) -> None:
    """Replace a built module and its bytecode, which Python does not check against the module."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(text)
    new = Path(file.name)
    new.chmod(source.stat().st_mode & 0o777)
    bytecode = cache_from_source(str(target))
    try:
        # It replaces the file of an older bytecode.
        py_compile.compile(
            file.name, bytecode, str(target), doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )  # fmt: skip
    except py_compile.PyCompileError as error:
        new.unlink()
        raise LocalError(f"{source} cannot be compiled: {str(error.msg).splitlines()[-1]}.") from error
    new.replace(target)
