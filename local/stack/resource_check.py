"""Report faulty resource classes before a build. Otherwise a function would report them, after minutes of a deploy."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from local.process import LocalError
from local.stack.folder import REPOSITORY


def check_resource_classes(report_progress: Callable[[str], None], source: Path = REPOSITORY / "src") -> None:
    """Check the classes under `source` in another process. Raises LocalError with a sentence for the first fault.

    All other faults are reported as progress.
    """
    process = subprocess.run(
        [sys.executable, "-m", "sluice.model", "check"],
        cwd=source.parent,
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode == 0:
        return
    faults = process.stdout.splitlines()
    if not faults:
        reason = (process.stderr.strip().splitlines() or ["no output"])[-1]
        raise LocalError(f"The resource classes cannot be checked: {reason}.")
    for fault in faults[1:]:
        report_progress(fault)
    count = f"; {len(faults) - 1} more above" if len(faults) > 1 else ""
    raise LocalError(f"{faults[0].rstrip('.')} (nothing was built{count}).")
