"""`make attack`: send the attack corpus and benign requests to a local stack.

It reports how many attacks the edge blocks, how many benign requests pass, and whether an attack changes the SQL that
the service runs.
"""

import sys
from contextlib import suppress

from bench import create_folder
from bench.results import is_short, save_results
from local.process import LocalError
from local.stack import down, up
from testkit.attack.attacks import build_attacks
from testkit.attack.benign import LINES_PER_POST, build_benign_requests, build_visitor_requests
from testkit.attack.free_text import NDJSON_TYPE, build_free_text_requests
from testkit.attack.measurement import Measurement, get_passed_share, measure_edge
from testkit.attack.requests import JSON_TYPE

MIN_BLOCKED_SHARE, MIN_PASSED_SHARE = 0.95, 0.99
MAX_EXAMPLES = 12


def main() -> int:
    """Returns exit code 1 when too few attacks are blocked, too few benign requests pass, or SQL was changed."""
    attacks = build_attacks(300 if is_short() else None)
    benign = build_benign_requests(300 if is_short() else 1_200)
    benign += [request for half in build_visitor_requests(150 if is_short() else 1_200) for request in half]
    _, free_texts = build_free_text_requests(100 if is_short() else 600)
    benign += free_texts
    with create_folder() as folder:
        try:
            measurement = measure_edge(up(folder), attacks, benign)
        finally:
            with suppress(LocalError):
                down(folder)
    print(_format_report(measurement))
    held_out_share = get_passed_share(measurement.held_out)
    save_results(
        "edge",
        {
            "blocked": round(measurement.blocked_share, 4),
            "benign_passed": round(held_out_share, 4),
            "attacks": len(measurement.attacks),
            "benign": len(measurement.held_out),
            "free_text_items_passed": round(get_passed_share(measurement.select_free_texts(JSON_TYPE)), 4),
            "free_text_bulk_passed": round(get_passed_share(measurement.select_free_texts(NDJSON_TYPE)), 4),
        },
    )
    is_blocking_enough = measurement.blocked_share >= MIN_BLOCKED_SHARE
    is_passing_enough = min(held_out_share, get_passed_share(measurement.tuning)) >= MIN_PASSED_SHARE
    return 0 if is_blocking_enough and is_passing_enough and not measurement.new_statements else 1


def _format_report(measurement: Measurement) -> str:
    attacks, held_out, tuning = measurement.attacks, measurement.held_out, measurement.tuning
    items, bulk = measurement.select_free_texts(JSON_TYPE), measurement.select_free_texts(NDJSON_TYPE)
    counts = measurement.count_by_kind().items()
    lines = [f"{kind:10} {blocked:5} of {count:5} blocked" for kind, (count, blocked) in counts]
    lines += [
        f"blocked at the edge: {measurement.blocked_share:.2%} of {len(attacks):,} attacks",
        f"passed: {get_passed_share(held_out):.2%} of {len(held_out):,} benign requests of the held-out set",
        f"passed: {get_passed_share(tuning):.2%} of {len(tuning):,} benign requests of the tuning set",
        f"passed: {get_passed_share(items):.2%} of {len(items):,} items with free text",
        f"passed: {get_passed_share(bulk):.2%} of {len(bulk):,} bulk writes of {LINES_PER_POST} lines with free text",
        f"statements that only attacks caused: {len(measurement.new_statements)}",
        *sorted(measurement.new_statements)[:MAX_EXAMPLES],
    ]
    # Requests of the held-out set are never printed: nobody may choose rules with them.
    blocked_benign = [response.request for response in tuning if not response.reached_api]
    lines += [
        f"benign, blocked: {request.method} {request.target} {request.body.decode()[:300]}"
        for request in blocked_benign[:MAX_EXAMPLES]
    ]
    passed_attacks = [(response.status, response.request) for response in attacks if response.reached_api]
    lines += [
        f"attack, passed ({status}): {request.method} {request.target[:100]} {request.body[:60]!r}"
        for status, request in passed_attacks[:MAX_EXAMPLES]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LocalError as error:
        sys.exit(f"attack: {error}")
