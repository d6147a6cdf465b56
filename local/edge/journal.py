"""What the edge has to tell, as lines of JSON on standard output. Neither query strings nor bodies nor headers are in
it:
they are the callers' data."""

import json
import sys
import time
from typing import Any


def told(what: str, **more: Any) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(json.dumps({"time": moment, "event": what, **more}, default=str), file=sys.stdout, flush=True)
