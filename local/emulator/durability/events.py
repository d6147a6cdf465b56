"""Gap: an event of S3 exists only on a thread, so a kill loses it although the put has succeeded.

Here it is in a file of `<state of the services>/events/` from before the put is stored until its targets have it. A
target may get it twice, as on AWS. An event whose object does not exist belongs to a put that did not happen.
"""

import asyncio
import contextvars
import functools
import itertools
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import s3

from local.emulator.durability import report
from local.emulator.firehose import ministack
from local.emulator.patching import replace_function

_logger = logging.getLogger("s3")
_numbers = itertools.count()


def _get_folder() -> Path:
    return Path(os.environ["STATE_DIR"]) / "events"


def _fire_event(bucket: str, key: str, event_name: str, *arguments: Any, **options: Any) -> None:
    """Store an event, and send it when the operation that causes it is complete."""
    if bucket not in s3._bucket_notifications:
        return
    event = {
        "scope": [get_account_id(), get_region()],
        "arguments": [bucket, key, event_name, *arguments],
        "options": {**options, "sequencer": s3._next_event_sequencer(event_name)},
    }
    file = _get_folder() / f"{time.time_ns():020d}-{next(_numbers):06d}.json"
    file.write_text(json.dumps(event))
    send = functools.partial(contextvars.copy_context().run, _send_event, event, file)
    start = threading.Thread(target=send, daemon=True, name="s3-event").start
    try:
        # An operation runs on the event loop without a pause: the callback comes after its end.
        asyncio.get_running_loop().call_soon(start)
    except RuntimeError:
        start()


def _send_event(event: dict[str, Any], file: Path) -> None:
    s3._fire_s3_event(*event["arguments"], **event["options"])
    file.unlink(missing_ok=True)


def _read_events() -> list[tuple[dict[str, Any], Path]]:
    """Read the events that an earlier process left, in the order of their occurrence."""
    events = []
    for file in sorted(_get_folder().glob("*.json")):
        try:
            events.append((json.loads(file.read_text()), file))
        except ValueError:  # its write was interrupted, and so was the put
            file.unlink()
    return events


def _send_again(events: list[tuple[dict[str, Any], Path]]) -> None:
    ministack.wait_for_server()
    for event, file in events:
        with request_scope(*event["scope"]):
            if _has_happened(event):
                _logger.info("an event is sent again: %s", event["arguments"])
                _send_event(event, file)
            else:
                file.unlink()


def _has_happened(event: dict[str, Any]) -> bool:
    """Whether the object of an event exists. The deletion of an object is complete before its event."""
    bucket, key, event_name = event["arguments"][:3]
    if not event_name.startswith("s3:ObjectCreated:"):
        return True
    if version := event["options"].get("version_id"):
        return version in {stored["version_id"] for stored in s3._object_versions.get((bucket, key)) or []}
    return key in (s3._buckets.get(bucket) or {"objects": {}})["objects"]


def patch() -> None:
    replace_function(s3, "_fire_s3_event_async", "d42619f0eb86", _fire_event)
    _get_folder().mkdir(parents=True, exist_ok=True)
    events = _read_events()
    if events:
        report.add("events of S3 sent again", len(events))
        threading.Thread(target=_send_again, args=(events,), daemon=True, name="s3-events-again").start()
