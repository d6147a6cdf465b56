"""The error at the end of an output of the SAM CLI.

The SAM CLI prints `Error: ` and a message, on several lines at times. The messages are in samcli/commands/deploy/
exceptions.py and samcli/lib/deploy/deployer.py of https://github.com/aws/aws-sam-cli.
"""

import re

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ERROR = re.compile(r"^Error: ", re.MULTILINE)
# After these words comes what only a developer of the SAM CLI reads.
_END = re.compile(r"^(Traceback:|An unexpected error was encountered|make: \*\*\*).*", re.MULTILINE | re.DOTALL)
# The first line of `sluice.model check`, which the build of a layer runs.
_FAULT = re.compile(r"\bsrc/resources/[\w/]+\.py:\d+: .*")
_DETAILS = (
    re.compile(r"\[\w+\(.*?\)\] ", re.DOTALL),
    re.compile(r"Failed to create changeset for the stack: [^,]+, (?:ex: )?"),
    re.compile(r"Failed to create/update the stack: [^,]+, "),
    re.compile(r"Waiter ChangeSetCreateComplete failed: .*?Status: FAILED\. Reason: ", re.DOTALL),
    re.compile(r"Failed to create managed resources: "),
    re.compile(r"\w+Builder:\w+ - (?:Make Failed: )?"),
    # Every place where it looked for a program.
    re.compile(r", searched for \w+ in following locations\s*: \[.*?\]"),
)
# The stack was created or updated, and failed: its events have the reason.
_EXECUTION_FAILED = re.compile(r"Waiter Stack\w+ failed")


def find_error(output: str) -> str:
    """The message of the last error, without the SAM CLI's introduction, on one line; empty without an error."""
    text = _ESCAPES.sub("", output)
    if fault := _FAULT.search(text):
        return fault[0].strip()
    starts = [match.end() for match in _ERROR.finditer(text)]
    if not starts:
        return _find_exception(text)
    message = _END.sub("", text[starts[-1] :]).strip()
    for detail in _DETAILS:
        message = detail.sub("", message, count=1)
    return " ".join(message.split())


def _find_exception(text: str) -> str:
    """The message of a Python exception that the SAM CLI did not catch; empty without one."""
    last_line = (text.strip().splitlines() or [""])[-1]
    return last_line.partition(": ")[2].strip() if "Traceback (most recent call last)" in text else ""


def did_execution_fail(error: str) -> bool:
    """Whether CloudFormation began to create or to update the stack, so that the stack's events have the reason."""
    return _EXECUTION_FAILED.search(error) is not None


def was_declined(output: str) -> bool:
    """Whether somebody answered no to the change set. The SAM CLI ends with success then."""
    return "Deploy this changeset? [y/N]" in output and "Successfully created/updated stack" not in output
