"""The canary writes and reads through the public address, so the service levels are measured."""

from ops.verify.check import Check, CheckFailed, NotApplicable
from ops.verify.subject import Subject


def run_canary(subject: Subject) -> str:
    """Invoke the canary: it gets a token, its write is accepted, and its read is answered."""
    mode = subject.stack.parameters.get("Canary", "off")
    if mode == "off":
        raise NotApplicable("The stack has no canary (Canary=off).")
    # Without the wait, which takes as long as the buffers; another check waits for a write.
    run = subject.stack.invoke("Canary", {"wait": False})
    if run["writes_failed"] or run["reads_failed"]:
        raise CheckFailed(
            f"The canary's requests failed: {', '.join(run['faults'])}.",
            "docs/how-to/service-levels.md says what each fault means.",
        )
    schedule = "every minute" if mode == "scheduled" else "when it is invoked (Canary=paused)"
    return f"a write and a read succeed; it runs {schedule}"


CHECKS = [Check("canary", "the canary writes and reads as a client does", run_canary)]
