"""Gaps in how MiniStack stores the objects of S3.

- An object has two files, its body and its metadata. A kill between the two writes leaves the body of one put with the
  metadata of another. Here the metadata name the body that belongs to them, and the next start finishes or discards it.
- Retention and legal holds are only in memory.
- A put that cannot be stored succeeds.
"""

import json
import os
import re
import secrets
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.services import s3

from local.emulator.durability import report
from local.emulator.patching import replace_function

_META = ".meta.json"
_BODY_FILE = re.compile(r"(.+)\.([0-9a-f]{8})\.tmp")

_original = SimpleNamespace()


def _persist_object(bucket: str, key: str, record: dict[str, Any]) -> None:
    """Write an object's files. The rename of the metadata decides: before it the put did not happen, after it it did.

    Raises OSError.
    """
    path = s3._object_disk_path(bucket, key)
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    meta = {**s3._object_meta_from_record(record), **s3._key_history_meta(bucket, key), "key": key}
    # A record without a body changes only the metadata.
    if record.get("body") is None:
        s3._atomic_write(path + _META, json.dumps(meta), text=True)
    else:
        body_id = secrets.token_hex(4)
        body_file = Path(f"{path}.{body_id}.tmp")
        body_file.write_bytes(record["body"])
        s3._atomic_write(path + _META, json.dumps({**meta, "body_id": body_id}), text=True)
        body_file.replace(path)
        record["body"] = None
    folder = Path(s3.DATA_DIR) / s3.get_account_id() / bucket
    s3._remove_key_files(s3._other_key_disk_path(str(folder), key, path))


def finish_writes(folder: Path) -> int:
    """Finish the puts whose metadata were written when the emulator was killed, and return their number.

    Removes what the others left.
    """
    finished = 0
    for path in folder.rglob("*.tmp"):
        match = _BODY_FILE.fullmatch(path.name)
        if match and _read_body_id(path.with_name(match[1] + _META)) == match[2]:
            path.replace(path.with_name(match[1]))
            finished += 1
        elif path.is_file():
            path.unlink()
    return finished


def _read_body_id(meta_file: Path) -> str | None:
    try:
        body_id: str | None = json.loads(meta_file.read_text()).get("body_id")
    except (FileNotFoundError, ValueError):
        return None
    return body_id


def _list_locks() -> dict[str, Any]:
    return {"retention": s3._object_retention, "legal_hold": s3._object_legal_hold}


def _build_history(bucket: str, key: str) -> dict[str, Any]:
    history: dict[str, Any] = _original.build_history(bucket, key)
    versions = [version["version_id"] for version in history.get("versions", [])]
    for field, store in _list_locks().items():
        locked = {version: store[bucket, key, version] for version in versions if (bucket, key, version) in store}
        if locked:
            history[field] = locked
    return history


def _load_history(account: str, bucket: Any, bucket_name: str, key: str, meta: dict[str, Any]) -> None:
    _original.load_history(account, bucket, bucket_name, key, meta)
    for field, store in _list_locks().items():
        for version, value in meta.get(field, {}).items():
            store._data[account, (bucket_name, key, version)] = value


def _persist_after(name: str) -> Any:
    """Wrap an operation on the locks of a version, which MiniStack keeps only in memory."""

    def put(bucket: str, key: str, *arguments: Any) -> Any:
        response = getattr(_original, name)(bucket, key, *arguments)
        if response[0] == 200:
            s3._persist_version_state(bucket, key, s3._buckets[bucket])
        return response

    return put


def patch() -> None:
    replace_function(s3, "_persist_object", "cb32b6ae8706", _persist_object)
    _original.build_history = replace_function(s3, "_key_history_meta", "455af1502662", _build_history)
    _original.load_history = replace_function(s3, "_load_persisted_history", "7ea6bc83e268", _load_history)
    for name, digest in (("_put_object_retention", "2915c4d97eba"), ("_put_object_legal_hold", "4e159939ec56")):
        setattr(_original, name, replace_function(s3, name, digest, _persist_after(name)))
    report.add("puts to S3 finished", finish_writes(Path(s3.DATA_DIR)))
    # `environment` sets it to 0, because MiniStack loads the objects when it is imported.
    s3.S3_PERSIST, os.environ["S3_PERSIST"] = True, "1"
    s3._load_persisted_data()
