"""Log of the edge: one JSON line per event on standard output."""

import json
import sys
import time
from typing import Any


def log_event(what: str, **more: Any) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(json.dumps({"time": moment, "event": what, **more}, default=str), file=sys.stdout, flush=True)
