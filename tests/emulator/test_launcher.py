import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.emulator import environment, patching
from testkit.emulator_harness import Emulator, build_function, deploy_stack, invoke_function, start_emulator
from testkit.translate import REPOSITORY


def test_it_listens_on_the_loopback_address_only(emulator: Emulator) -> None:
    listening = {
        line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"
    }
    assert f"0100007F:{emulator.port:04X}" in listening
    assert f"00000000:{emulator.port:04X}" not in listening


def test_a_stop_keeps_the_state_for_the_next_start(tmp_path: Path) -> None:
    first = start_emulator(tmp_path)
    first.client("s3").create_bucket(Bucket="bucket")
    first.client("s3").put_object(Bucket="bucket", Key="a/b", Body=b"bytes")
    first.client("sqs").create_queue(QueueName="bucket")
    assert first.stop() == 0
    second = start_emulator(tmp_path)
    try:
        assert second.client("s3").get_object(Bucket="bucket", Key="a/b")["Body"].read() == b"bytes"
        assert second.client("sqs").get_queue_url(QueueName="bucket")["QueueUrl"]
    finally:
        second.stop()


def test_a_changed_ministack_stops_the_start_with_a_message() -> None:
    with pytest.raises(
        patching.UnexpectedMiniStackError,
        match=r"environment.reset_environment has changed \(digest \w+, expected 0000\)",
    ):
        patching.replace_function(environment, "reset_environment", "0000", None)


def test_of_the_callers_shell_only_the_path_remains(tmp_path: Path) -> None:
    code = (
        "import os, pathlib; from local.emulator.environment import reset_environment; "
        "reset_environment(1, pathlib.Path.cwd(), 'INFO'); print(os.environ['PATH'], 'AWS_PROFILE' in os.environ)"
    )
    shell = {"PATH": "/own/mariadb/bin:/usr/bin", "AWS_PROFILE": "somebody", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, env=shell, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert printed == "/own/mariadb/bin:/usr/bin False\n"


def test_a_running_invocation_does_not_delay_a_stop(tmp_path: Path) -> None:
    emulator = start_emulator(tmp_path)
    code = "import time\ndef handle(event, context): time.sleep(event['sleep'])"
    template = {
        "Resources": {"Slow": build_function(code, Timeout=60)},
        "Outputs": {"Slow": {"Value": {"Ref": "Slow"}}},
    }
    name = deploy_stack(emulator, "slow", template)["Slow"]
    invoke_function(emulator, name, {"sleep": 0})
    invoke_function(emulator, name, {"sleep": 40}, InvocationType="Event")
    started = time.monotonic()
    assert emulator.stop() == 0
    assert time.monotonic() - started < 15
