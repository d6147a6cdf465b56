"""The memory of a load: a fresh process loads files with the loader of the load function.

As a program this module is that process: `python -m bench.loading.memory USER PASSWORD FILE…`, with the environment of
the function.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sluice.aws.secrets import Credentials
from sluice.load.batch_reader import BatchObject

COMMAND = (sys.executable, "-m", "bench.loading.memory")


def measure_peak_memory(
    environment: dict[str, str], account: tuple[str, str], files: Sequence[Path]
) -> dict[str, float]:
    """Megabytes of a fresh process: `before` it loads the files one after the other, and the `peak`."""
    command = [*COMMAND, *account, *map(str, files)]
    process = subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True, text=True)
    return {name: float(value) for name, value in json.loads(process.stdout.splitlines()[-1]).items()}


def main() -> None:
    """Load the files of the command line, and print the memory."""
    from sluice.handlers import load  # noqa: PLC0415  it reads its settings when it is imported

    username, password, *files = sys.argv[1:]
    load._loader._database.access.credentials = Credentials(username, password)
    load._loader._context = replace(load._loader._context, open_batch=_open_file)
    assert load._s3.botocore  # its memory belongs to both figures
    before = _read_peak_megabytes()
    for file in files:
        outcome = load._loader.load_batch("", file)
        assert (outcome.status, outcome.rejected) == ("loaded", 0), outcome
    print(json.dumps({"before": before, "peak": _read_peak_megabytes()}))


def _open_file(_bucket: str, key: str) -> BatchObject:
    file = Path(key)
    return BatchObject(file.name, hashlib.md5(file.read_bytes()).hexdigest(), file.open("rb"))


def _read_peak_megabytes() -> float:
    # getrusage would count the memory of the parent, from which this process was forked.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
