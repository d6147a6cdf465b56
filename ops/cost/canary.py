"""What the canary of a stack causes in a month: a run each minute, its requests, and a batch for its writes."""

from dataclasses import dataclass

from ops.cost.traffic import SECONDS_PER_MONTH
from ops.template import ResolvedTemplate

# As in `sluice.canary.run`, which the operators' command does not import.
POLLS = 20
MAX_WAIT_SECONDS = 840
CANARY_METRICS = 7
# Its load, its events and its replication take about two seconds beside the buffers.
APPLY_SECONDS = 2
MEMORY_GIGABYTES = 0.125
# A token is valid for a day, but Lambda replaces an environment after hours, and two or three run at a time.
TOKENS_PER_DAY = 30


@dataclass(frozen=True)
class CanaryUse:
    """The quantities of a month; `seconds` is the time that the function waits, all runs together."""

    runs: float = 0.0
    seconds: float = 0.0
    reads: float = 0.0
    tokens: float = 0.0
    batches: float = 0.0
    backups: float = 0.0
    metrics: int = 0


def estimate_canary(template: ResolvedTemplate) -> CanaryUse:
    """Estimate the use of a canary that runs every minute; nothing where it is paused or off."""
    if template.parameters["Canary"] != "scheduled":
        return CanaryUse()
    runs = SECONDS_PER_MONTH / 60
    buffers = template.number("BufferSeconds") + template.number("TransformBufferSeconds")
    limit = buffers + template.number("ReadableSeconds")
    waited = buffers + APPLY_SECONDS if limit <= MAX_WAIT_SECONDS else 0.0
    return CanaryUse(
        runs=runs,
        seconds=runs * (waited + 1),
        reads=runs * (1 + waited * POLLS / limit),
        tokens=TOKENS_PER_DAY * SECONDS_PER_MONTH / 86_400,
        batches=min(runs, SECONDS_PER_MONTH / max(1.0, template.number("BufferSeconds"))),
        backups=min(runs, SECONDS_PER_MONTH / template.number("BackupBufferSeconds")),
        metrics=CANARY_METRICS,
    )
