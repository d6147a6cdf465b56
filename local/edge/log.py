"""Log of the edge: one JSON line per event on standard output.

The lines contain no query strings, bodies or headers, because those are the callers' data.
"""

import json
import sys
import time
from typing import Any


def log_event(event: str, **fields: Any) -> None:
    timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(json.dumps({"time": timestamp, "event": event, **fields}, default=str), file=sys.stdout, flush=True)
