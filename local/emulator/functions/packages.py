"""The unpacked code of functions and layers: one folder per content, shared by all environments."""

import hashlib
import io
import os
import tempfile
import threading
import time
import zipfile
from pathlib import Path

# What AWS's Python runtime contains. It is last on the import path, after the function's code and layers.
RUNTIME_PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")

_lock = threading.Lock()


def unpack_package(package: bytes) -> Path:
    """Return the folder with the files of a zip. It is created at the first call."""
    folder = Path(os.environ["TMPDIR"]) / "packages" / hashlib.sha256(package).hexdigest()[:32]
    with _lock:
        if not folder.exists():
            folder.parent.mkdir(exist_ok=True)
            unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
            _extract(package, unfinished)
            unfinished.chmod(0o755)
            unfinished.rename(folder)
    return folder


def _extract(package: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, folder))
            if entry.is_dir():
                continue
            # Keep modes and times: a compiled Python file contains the time of its source.
            path.chmod((entry.external_attr >> 16) & 0o777 | 0o600)
            packed_at = time.mktime((*entry.date_time, 0, 0, -1))
            os.utime(path, (packed_at, packed_at))


def get_runtime_folder() -> Path:
    """Return a folder with the packages of AWS's runtime and nothing else of this Python environment."""
    folder = Path(os.environ["TMPDIR"]) / "runtime"
    with _lock:
        if not folder.exists():
            import boto3  # noqa: PLC0415 - only to find where it is installed

            installed = Path(boto3.__file__).parents[1]
            unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
            for name in RUNTIME_PACKAGES:
                if (installed / name).exists():
                    (unfinished / name).symlink_to(installed / name)
            unfinished.rename(folder)
    return folder
