"""Which sources differ from those that are served."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import watchfiles

from local.stack.folder import REPOSITORY
from local.stack.sam import API_FILES, list_source_files

_FOLDERS = ("src", "statemachines", "layers")
# Each build writes them from the resource classes.
_GENERATED = frozenset(path.name for path in API_FILES)
_CHECK_MILLISECONDS = 500
"""How often the files outside of the folders are compared. To watch them would be to watch all of the checkout, or to
lose a file that an editor replaces."""
_SETTLE_MILLISECONDS = 100
"""How long to wait for further files of the same change: an editor or git writes several."""

_Signature = tuple[int, int, int]


class SourceWatcher:
    """Compares the sources with those of the last round that served them."""

    def __init__(self, root: Path = REPOSITORY) -> None:
        self._root = root
        self._digests: dict[str, tuple[_Signature, str]] = {}
        self._served = self._seen = self._read_digests()

    def wait_for_changes(self) -> Iterator[list[str]]:
        """The paths that differ from what is served, below the root, after each change; none when all is as it was."""
        folders = [self._root / name for name in _FOLDERS]
        for _ in watchfiles.watch(
            *folders, step=_SETTLE_MILLISECONDS, rust_timeout=_CHECK_MILLISECONDS, yield_on_timeout=True
        ):
            current = self._read_digests()
            if current != self._seen:
                self._seen = current
                yield sorted(
                    path for path in current.keys() | self._served.keys() if current.get(path) != self._served.get(path)
                )

    def mark_as_served(self) -> None:
        """What was returned last is served now."""
        self._served = self._seen

    def _read_digests(self) -> dict[str, str]:
        """A hash of each source by its path. A file is read only if it changed."""
        digests = {}
        for path in list_source_files(self._root):
            name = path.relative_to(self._root).as_posix()
            if name in _GENERATED:
                continue
            try:
                status = path.stat()
                signature = (status.st_mtime_ns, status.st_size, status.st_ino)
                if name not in self._digests or self._digests[name][0] != signature:
                    self._digests[name] = (signature, hashlib.sha256(path.read_bytes()).hexdigest())
            except FileNotFoundError:
                continue
            digests[name] = self._digests[name][1]
        return digests
