"""`make attack`: send the attack corpus and real-looking requests to a local stack of its own, and say what was
blocked."""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from bench.attack.attacks import attacks
from bench.attack.benign import benign
from bench.attack.measuring import Found, let_through, measure
from bench.attack.unseen import halves
from bench.results import keep, short
from local.process import LocalError
from local.stack import down, up

BLOCKED, BENIGN = 0.95, 0.99
SHOWN = 12


def main() -> int:
    """Returns the exit code: 1 when less is blocked, or let through, than is wanted, or SQL was changed."""
    corpus, usual = attacks(300 if short() else None), benign(300 if short() else 1_200)
    usual += [request for half in halves(150 if short() else 1_200) for request in half]
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
            "benign_passed": round(let_through(found.held_out), 4),
            "attacks": len(found.attacks),
            "benign": len(found.held_out),
        },
    )
    benign_passed = min(let_through(found.held_out), let_through(found.seen))
    return 0 if found.blocked >= BLOCKED and benign_passed >= BENIGN and not found.new_forms else 1


def _report(found: Found) -> str:
    lines = [f"{kind:10} {blocked:5} of {count:5} blocked" for kind, (count, blocked) in found.by_kind().items()]
    lines += [
        f"blocked at the edge: {found.blocked:.2%} of {len(found.attacks):,} attacks",
        f"let through: {let_through(found.held_out):.2%} of {len(found.held_out):,} benign requests, held out",
        f"and of those that rules of the firewall were chosen by: {let_through(found.seen):.2%} of {len(found.seen):,}",
        f"statements that attacks made and harmless requests do not: {len(found.new_forms)}",
        *sorted(found.new_forms)[:SHOWN],
    ]
    # What is held out stays unseen.
    refused = [answer for answer in found.seen if not answer.reached]
    lines += [
        f"benign, blocked: {answer.sent.method} {answer.sent.target} {answer.sent.body.decode()[:300]}"
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
