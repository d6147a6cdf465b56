"""What a server is among the others: a source of changes, or a replica of one. The file `role.json` in its folder says
it, so that a restored, renamed or promoted server stays what it is.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_FILE = "role.json"
# Identifiers below it are those of the servers that a stack starts with.
_FIRST_NEW_ID = 101

_LOG_SETTINGS = (
    "--log-bin=binlog",
    "--binlog-format=ROW",
    # Every table has a primary key, so the changed columns are enough and halve the log.
    "--binlog-row-image=MINIMAL",
    # A promoted replica continues the GTIDs of its source, and its own replicas can follow it.
    "--log-slave-updates=ON",
    "--relay-log=relay",
    "--skip-slave-start",
)


@dataclass(frozen=True)
class Role:
    """`source` is the name of the server that it replicates, or an empty text. No two servers share a `server_id`."""

    server_id: int
    source: str = ""

    @property
    def settings(self) -> Sequence[str]:
        """The options of the server program."""
        if self.source:
            # What its log loses in a crash of the machine, a replica gets from its source again.
            return (f"--server-id={self.server_id}", *_LOG_SETTINGS, "--read-only=ON", "--sync-binlog=0")
        return (f"--server-id={self.server_id}", *_LOG_SETTINGS, "--sync-binlog=1")


def read_role(directory: Path) -> Role:
    """The role of the server in this folder. Without a file it is what the name of the folder says."""
    try:
        return Role(**json.loads((directory / _FILE).read_text()))
    except FileNotFoundError:
        number = directory.name.removeprefix("replica-")
        return Role(int(number) + 1, "primary") if number.isdigit() else Role(1)


def write_role(directory: Path, role: Role) -> None:
    """Save the role; the server takes it on at its next start."""
    directory.mkdir(parents=True, exist_ok=True)
    new_file = directory / f"{_FILE}.new"
    new_file.write_text(json.dumps(asdict(role)))
    new_file.rename(directory / _FILE)


def choose_server_id(root: Path) -> int:
    """A server identifier that no server below `root` has."""
    used = [read_role(path.parent).server_id for path in root.glob(f"*/{_FILE}")]
    return max([_FIRST_NEW_ID - 1, *used]) + 1
