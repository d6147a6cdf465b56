"""The statements that the replicas had while the mix was played, and what they must be."""

import math
from dataclasses import dataclass

from local.process import LocalError
from testkit.mix.player import Reading

# A heartbeat waits on each replica for the primary's position, and reads the moment.
HEARTBEAT_STATEMENTS, HEARTBEAT_SECONDS = 2, 60


@dataclass(frozen=True)
class ReplicaWork:
    """Statements and processor seconds of the account that the read function uses, in so many seconds."""

    statements: int
    processor_seconds: float
    seconds: float

    def __sub__(self, other: "ReplicaWork") -> "ReplicaWork":
        return ReplicaWork(
            self.statements - other.statements,
            self.processor_seconds - other.processor_seconds,
            self.seconds - other.seconds,
        )


def require_statements(uncached: list[Reading], work: ReplicaWork, replicas: int, tolerance: float) -> None:
    """Raise LocalError unless the replicas had a statement for each uncached read, and no others but two kinds:
    those of reads of a version, which ask each replica while none has it, and of heartbeats.

    The tolerance is for reads that asked another replica because the first had less than was shown before.
    """
    reads = len(uncached)
    most = reads + (replicas - 1) * sum(reading.step.kind == "own" for reading in uncached)
    heartbeats = replicas * HEARTBEAT_STATEMENTS * math.ceil(work.seconds / HEARTBEAT_SECONDS)
    if not reads - tolerance <= work.statements <= most + heartbeats + tolerance:
        raise LocalError(
            f"The replicas had {work.statements:,} statements, not {reads:,} for as many reads, up to {most - reads:,} "
            f"more for those of a version, and up to {heartbeats} of heartbeats."
        )
