"""Make the primary of a stack fail over: by the API of RDS, or by a command of the operator."""

import shlex
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ops.aws import Stack
from ops.errors import UsageError
from ops.verify.check import CheckFailed
from ops.verify.subject import Subject

Outage = Callable[[Subject], str]
"""Makes the outage, waits until the database is said to be back, and returns what was done in a few words."""

# A failover takes 1 to 2 minutes, a reboot of a large instance longer.
REBOOT_SECONDS = 900.0
STATUS_SECONDS = 60.0
COMMAND_SECONDS = 1800.0


def choose_outage(stack: Stack, command: str | None) -> Outage:
    """The outage for a stack. Raises UsageError when the stack does not own its database and there is no command."""
    if command:
        return lambda subject: _run_command(subject, command)
    if stack.parameters.get("ProvisionDatabase") != "true":
        raise UsageError(
            f"The database of {stack.name} is not the stack's own.",
            "Give --outage-command with what makes its primary fail over and returns when that is done.",
        )
    return _reboot_primary


def _reboot_primary(subject: Subject) -> str:
    stack, rds = subject.stack, subject.stack.client("rds")
    name = stack.list_resources("AWS::RDS::DBInstance")["Primary"]
    is_multi_az = bool(_describe_instance(rds, name)["MultiAZ"])
    rds.reboot_db_instance(DBInstanceIdentifier=name, ForceFailover=is_multi_az)
    # The status follows the call after a moment.
    with suppress(CheckFailed):
        subject.wait_until(lambda: not _is_available(rds, name), STATUS_SECONDS, lambda: CheckFailed("", ""))
    subject.wait_until(
        lambda: _is_available(rds, name),
        REBOOT_SECONDS,
        lambda: CheckFailed(f"{name} is not available {REBOOT_SECONDS:.0f} s after its reboot.", "See RDS's events."),
    )
    return f"failover of {name}" if is_multi_az else f"reboot of {name}, which has no standby"


def _describe_instance(rds: Any, name: str) -> dict[str, Any]:
    return dict(rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def _is_available(rds: Any, name: str) -> bool:
    return str(_describe_instance(rds, name)["DBInstanceStatus"]) == "available"


def _run_command(_subject: Subject, command: str) -> str:
    try:
        process = subprocess.run(  # noqa: S603  the operator's own command
            shlex.split(command), capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise CheckFailed(f"The outage command did not run: {error}.", "Check --outage-command.") from None
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["no message"]
        raise CheckFailed(
            f"The outage command ended with {process.returncode}: {lines[-1].rstrip('.')}.", "Check --outage-command."
        )
    return "outage by the command"
