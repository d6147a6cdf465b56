"""A write comes in, is applied, is read, is confirmed unchanged, and is deleted."""

import time
from typing import Any

from ops.service import MAX_ATTEMPTS, Answer
from ops.verify.check import UNDO_DRIFT, Check, CheckFailed
from ops.verify.subject import OwnWrite, Subject

_LOOK = "See `sluice status`, and docs/how-to/operate.md for what it says."


def run_round_trip(subject: Subject) -> str:
    """Token, POST, receipt, read, conditional read, DELETE."""
    write = subject.own_write()
    seconds = wait_until_applied(subject, write)
    item = read_version(subject, write.path, write.version)
    require_not_modified(subject, write, item)
    answer = subject.delete_item(write.path)
    version = answer.document["version"]
    read_version(subject, write.path, version, expected=404)
    return f"{write.collection.name}: 202, applied after {seconds:.0f} s, read, 304, deleted"


def wait_until_applied(subject: Subject, write: OwnWrite, patience: float | None = None) -> float:
    """Wait until the receipt says that a write is applied. Returns the seconds since it was accepted."""
    limit = subject.load_seconds if patience is None else patience
    path = f"{write.path}/writes/{write.version}"
    states: list[str] = []

    def is_applied() -> bool:
        answer = subject.client().request("GET", path, attempts=MAX_ATTEMPTS)
        receipt: Any = answer.document if answer.status == 200 else None
        states.append(receipt["status"] if receipt else answer.describe())
        if states[-1] == "rejected":
            raise CheckFailed(f"The write was rejected: {receipt.get('reason', 'no reason')}.", _LOOK)
        return states[-1] in {"applied", "superseded"}

    subject.wait_until(
        is_applied, limit, lambda: CheckFailed(f"The receipt still says {states[-1]} after {limit:.0f} s.", _LOOK)
    )
    return time.time() - write.seconds


def read_version(subject: Subject, path: str, version: str, expected: int = 200) -> Answer:
    """Read an item from a replica that has a version. Raises CheckFailed when it does not get it in time."""
    answers: list[Answer] = []

    def is_read() -> bool:
        target = f"{path}?version={version}"
        answers.append(subject.client().request("GET", target, headers={"prefer": "wait=10"}, attempts=MAX_ATTEMPTS))
        return answers[-1].status == expected

    subject.wait_until(
        is_read,
        subject.load_seconds,
        lambda: CheckFailed(
            f"A read of the version answers {answers[-1].describe()} instead of {expected}.",
            "Perhaps no replica replicates: see `sluice status`.",
        ),
    )
    return answers[-1]


def require_not_modified(subject: Subject, write: OwnWrite, item: Answer) -> None:
    """Raise CheckFailed unless CloudFront answers 304 to a client that has the item."""
    etag = item.headers.get("etag", "")
    answer = subject.client().request("GET", write.path, headers={"if-none-match": etag}, attempts=MAX_ATTEMPTS)
    if answer.status != 304:
        raise CheckFailed(
            f"A read with If-None-Match answers {answer.describe()} instead of 304.",
            f"CloudFront must forward If-None-Match and no cookies. {UNDO_DRIFT}",
        )
    if not answer.is_from_cloudfront:
        raise CheckFailed(
            f"{subject.stack.service_url} is not CloudFront.",
            "Point its DNS alias to DistributionDomainName.",
        )


CHECKS = [Check("round-trip", "a write is accepted, applied, read, confirmed by 304 and deleted", run_round_trip)]
