"""The traffic of a month that an estimate is for, and what was measured or assumed about one request."""

from dataclasses import dataclass

SECONDS_PER_MONTH = 730 * 3600
HOURS_PER_MONTH = 730
# An invocation of HealthCheckFunction: a tenth of a second with 1 GB, in which it waits for a heartbeat on the replica.
HEALTH_CHECK_GIGABYTE_SECONDS = 0.1


@dataclass(frozen=True)
class Traffic:
    """Writes and reads of a month, spread evenly over it. `lines` is the number of writes in a request."""

    writes: int = 1_000_000
    reads: int = 1_000_000
    item_bytes: int = 1_000
    lines: int = 1

    @property
    def write_requests(self) -> float:
        return self.writes / self.lines


@dataclass(frozen=True)
class RequestFigures:
    """What one request takes. Change a figure when your own measurements differ.

    - `write_seconds`, `read_seconds`: billed time of a warm function; an assumption, as most of it waits for Firehose
      or the replica.
    - `log_bytes`: lines of function, platform and API of one request, measured on the local stack: the function's line
      and its metrics have 600 bytes, the API's access log 450; Lambda's own start and report lines are about 700.
    - `response_bytes`: a receipt with its headers.
    - `compression`: size of a batch with GZIP to that of its lines, measured by the demo.
    - `traced`: share of the requests that X-Ray samples by default, above one a second.
    - `rows_per_second`: rows that one load writes, from `python -m bench.load`.
    - `proof_hours`: how long the instance of a proof exists each week; an assumption for tens of GB.
    - `proof_gigabyte_seconds`: of the function that reads all tables twice and loads the tail; an assumption.
    """

    write_seconds: float = 0.025
    read_seconds: float = 0.015
    function_gigabytes: float = 1.0
    load_gigabytes: float = 1.73
    log_bytes: int = 1_750
    response_bytes: int = 700
    compression: float = 0.25
    traced: float = 0.05
    rows_per_second: int = 10_000
    proof_hours: float = 2.0
    proof_gigabyte_seconds: float = 2_000.0
    batch_seconds: float = 0.5
