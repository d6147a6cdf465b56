"""`make attack`: what the edge blocks of an attack corpus, what it lets through of real-looking requests, and whether
anything of it changes the SQL that is run.

`make attack`: send the attack corpus and real-looking requests to a local stack of its own, and say what was
blocked.
"""

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from bench.results import is_short, save_results
from local.process import LocalError
from local.stack import down, up
from testkit.attack.attacks import build_attacks
from testkit.attack.benign import build_benign_requests, build_visitor_requests
from testkit.attack.measurement import Measurement, get_passed_share, measure_edge

MIN_BLOCKED_SHARE, MIN_PASSED_SHARE = 0.95, 0.99


MAX_EXAMPLES = 12


def main() -> int:
    """Returns the exit code: 1 when less is blocked, or let through, than is wanted, or SQL was changed."""
    corpus, usual = build_attacks(300 if is_short() else None), build_benign_requests(300 if is_short() else 1_200)
    usual += [request for half in build_visitor_requests(150 if is_short() else 1_200) for request in half]
    with tempfile.TemporaryDirectory(prefix="sluice-attack-") as name:
        try:
            found = measure_edge(up(Path(name)), corpus, usual)
        finally:
            with suppress(LocalError):
                down(Path(name))
    print(_format_report(found))
    save_results(
        "edge",
        {
            "blocked": round(found.blocked_share, 4),
            "benign_passed": round(get_passed_share(found.held_out), 4),
            "attacks": len(found.attacks),
            "benign": len(found.held_out),
        },
    )
    benign_passed = min(get_passed_share(found.held_out), get_passed_share(found.tuning))
    return (
        0
        if found.blocked_share >= MIN_BLOCKED_SHARE and benign_passed >= MIN_PASSED_SHARE and not found.new_statements
        else 1
    )


def _format_report(found: Measurement) -> str:
    lines = [f"{kind:10} {blocked:5} of {count:5} blocked" for kind, (count, blocked) in found.count_by_kind().items()]
    lines += [
        f"blocked at the edge: {found.blocked_share:.2%} of {len(found.attacks):,} attacks",
        f"let through: {get_passed_share(found.held_out):.2%} of {len(found.held_out):,} benign requests, held out",
        f"and of those that rules of the firewall were chosen by: {get_passed_share(found.tuning):.2%} of {len(found.tuning):,}",  # noqa: E501
        f"statements that attacks made and harmless requests do not: {len(found.new_statements)}",
        *sorted(found.new_statements)[:MAX_EXAMPLES],
    ]
    # What is held out stays unseen.
    refused = [answer for answer in found.tuning if not answer.reached_api]
    lines += [
        f"benign, blocked: {answer.request.method} {answer.request.target} {answer.request.body.decode()[:300]}"
        for answer in refused[:MAX_EXAMPLES]
    ]
    passed = [answer for answer in found.attacks if answer.reached_api]
    lines += [
        f"attack, passed ({answer.status}): {answer.request.method} {answer.request.target[:100]} {answer.request.body[:60]!r}"  # noqa: E501
        for answer in passed[:MAX_EXAMPLES]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LocalError as error:
        sys.exit(f"attack: {error}")
