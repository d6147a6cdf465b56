"""The position of an import or an export, in a file beside the data, so that the same command can go on."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from ops.errors import UsageError


@dataclass
class TransferState:
    """How far a transfer is: `rows` are done, of which `rejected` were rejected, some by the firewall.

    `output_bytes` are of the file that the transfer writes; `cursor` is of the next page of an export; `digest`
    identifies the data that an import reads.
    """

    collection: str
    digest: str = ""
    rows: int = 0
    rejected: int = 0
    refused_by_firewall: int = 0
    output_bytes: int = 0
    cursor: str = ""

    @classmethod
    def load(cls, path: Path, collection: str, digest: str = "") -> Self:
        """The saved position, or the start. Raises UsageError when the file is of another transfer."""
        try:
            state = cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return cls(collection, digest)
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(f"{path} cannot be read: {error}.", "Delete it, or give --restart.") from None
        if state.collection != collection or state.digest != digest:
            raise UsageError(
                f"{path} is the position of another transfer: the data or the collection differ.",
                "Give --restart to begin from the start.",
            )
        return state

    def save(self, path: Path) -> None:
        """Save the position, so that a reader sees the old or the new one. Raises UsageError."""
        new_file = path.with_name(f"{path.name}.new")
        try:
            new_file.write_text(json.dumps(asdict(self)))
            new_file.replace(path)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror}.", "Put the data into another folder."
            ) from None


def compute_digest(path: Path) -> str:
    """The SHA-256 of a file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from None
