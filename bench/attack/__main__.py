"""`make attack`: send the attack corpus and real-looking requests to a local stack of its own, and say what was
blocked."""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from bench.attack.attacks import attacks
from bench.attack.benign import benign
from bench.attack.measuring import Found, measure
from bench.results import keep, short
from local.process import LocalError
from local.stack import down, up

BLOCKED, BENIGN = 0.95, 0.99
SHOWN = 12


def main() -> int:
    """Returns the exit code: 1 when less is blocked, or let through, than is wanted, or SQL was changed."""
    corpus, usual = attacks(300 if short() else None), benign(300 if short() else 1_200)
    with tempfile.TemporaryDirectory(prefix="sluice-attack-") as name:
        try:
            found = measure(up(Path(name)), corpus, usual)
        finally:
            with suppress(LocalError):
                down(Path(name))
    print(_report(found))
    keep(
        "edge",
        {
            "blocked": round(found.blocked, 4),
            "benign_passed": round(found.benign_passed, 4),
            "attacks": len(found.attacks),
            "benign": len(found.benign),
        },
    )
    held = found.blocked >= BLOCKED and found.benign_passed >= BENIGN and not found.new_forms
    return 0 if held else 1


def _report(found: Found) -> str:
    lines = [f"{kind:10} {blocked:5} of {count:5} blocked" for kind, (count, blocked) in found.by_kind().items()]
    lines += [
        f"blocked at the edge: {found.blocked:.2%} of {len(found.attacks):,} attacks",
        f"let through: {found.benign_passed:.2%} of {len(found.benign):,} benign requests",
        f"statements that attacks made and harmless requests do not: {len(found.new_forms)}",
        *sorted(found.new_forms)[:SHOWN],
    ]
    refused = [answer for answer in found.benign if not answer.reached]
    lines += [
        f"benign, blocked: {answer.sent.method} {answer.sent.target} {answer.sent.body[:300].decode()}"
        for answer in refused[:SHOWN]
    ]
    passed = [answer for answer in found.attacks if answer.reached]
    lines += [
        f"attack, passed ({answer.status}): {answer.sent.method} {answer.sent.target[:100]} {answer.sent.body[:60]!r}"
        for answer in passed[:SHOWN]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LocalError as error:
        sys.exit(f"attack: {error}")
