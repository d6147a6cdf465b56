"""The folder of a benchmark's servers."""

import subprocess
import sys
from pathlib import Path

# It stops what it started in a `finally`, as every benchmark does.
BENCHMARK = """
import time
from bench import create_folder

with create_folder() as folder:
    try:
        print(folder, flush=True)
        time.sleep(60)
    finally:
        print("stopped", flush=True)
"""


def test_a_benchmark_that_sigterm_ends_stops_its_servers_and_deletes_its_folder() -> None:
    process = subprocess.Popen([sys.executable, "-c", BENCHMARK], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    folder = Path(process.stdout.readline().strip())
    assert folder.is_dir()
    process.terminate()
    output, _ = process.communicate(timeout=30)
    assert (output, process.returncode, folder.exists()) == ("stopped\n", 143, False)
