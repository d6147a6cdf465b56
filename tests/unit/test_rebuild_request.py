"""The input of a rebuild, its exclusions, and its report."""

import datetime
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from sluice.errors import FutureTime, InvalidInput, InvalidWindow, UnknownCollection
from sluice.model.exclusions import (
    Exclusion,
    ExclusionRule,
    compute_end_version,
    create_exclusion_filter,
    decode_exclusion_rows,
    encode_exclusion_row,
    select_active_exclusions,
)
from sluice.model.schema_names import filter_retained_schemas, retained_schema_name, shadow_schema_name
from sluice.model.workflow_input import STARTED_BY_FIELD
from sluice.rebuild.rebuild_report import build_rebuild_report
from sluice.rebuild.rebuild_request import RebuildRequest, build_exclusions, parse_rebuild_request

NOW = datetime.datetime(2026, 11, 25, 10, 30, tzinfo=datetime.UTC)
KNOWN = {"things", "codes", "airports", "bookings"}
VERSION = str(ULID.from_datetime(NOW))
EVENTS = Path(__file__).resolve().parents[2] / "events/rebuild"
DAY = datetime.timedelta(days=1)
MAX_OWNERS, MAX_VERSIONS, MAX_STATE_BYTES = 250, 1_000, 262_144


def at(moment: datetime.datetime) -> str:
    return str(ULID.from_datetime(moment))


def test_the_bytes_are_the_sum_of_all_rounds() -> None:
    """For batches, the last round also lists what the others have loaded; the archive's objects are not batches."""
    repeated_output = {**OUTPUT, "planned": 1, "bytes": 5}
    assert (
        build_rebuild_report(RebuildRequest(), repeated_output, {**NOTHING, "planned": 2, "bytes": 7}, NOTHING, LEDGER)[
            "bytes"
        ]
        == 120
    )
    archived = {**repeated_output, "request": {"source": "archive"}}
    assert build_rebuild_report(RebuildRequest(), archived, NOTHING, NOTHING, LEDGER)["bytes"] == 220


def line(**fields: Any) -> bytes:
    return json.dumps({"version": VERSION, "collection": "things", "owner": "me", "id": "1", **fields}).encode()


def filter_lines(exclusion_rule: Exclusion, *lines: bytes, numbered: bool = False) -> list[bytes]:
    return create_exclusion_filter([exclusion_rule], keeps_line_numbers=numbered)(
        b"".join(line + b"\n" for line in lines)
    ).splitlines()


def excluding(now: datetime.datetime = NOW, **request: Any) -> Exclusion:
    [parsed_exclusion] = build_exclusions(parse_rebuild_request(request, KNOWN, now), "r", now)
    return parsed_exclusion


def test_everything_has_a_default() -> None:
    request = parse_rebuild_request({STARTED_BY_FIELD: "arn"}, KNOWN, NOW)
    assert (request.source, request.reset_exclusions, request.reason) == ("batches", False, "")
    assert build_exclusions(request, "r", NOW) == []


@pytest.mark.parametrize(
    ("workflow_input", "error", "says"),
    [
        ([], InvalidInput, "The input of rebuild is invalid: Expected `object`"),
        ({"asof": None}, InvalidInput, "unknown field `asof`"),
        ({"as_of": "2026-11-23T10:00:00"}, InvalidInput, "timezone"),
        ({"exclude": {"owner": "x"}}, InvalidInput, "unknown field `owner`"),
        ({"exclude": {"owners": [""]}}, InvalidInput, "owners"),
        ({"exclude": {"owners": ["x"] * (MAX_OWNERS + 1)}}, InvalidInput, "owners"),
        ({"exclude": {"versions": [VERSION] * (MAX_VERSIONS + 1)}}, InvalidInput, "versions"),
        ({"exclude": {"versions": ["1"]}}, InvalidInput, "'1' is not a version: see a receipt"),
        ({"reason": "x" * 501}, InvalidInput, "reason"),
        ({"as_of": "1960-01-01T00:00:00Z"}, InvalidInput, "is before all writes: use a later time, or none."),
        ({"source": "nowhere"}, InvalidInput, "nowhere"),
        (
            {"as_of": "2026-11-25T10:31:00Z"},
            FutureTime,
            "2026-11-25T10:31:00Z is in the future: it is 2026-11-25T10:30",
        ),
        ({"exclude": {"to": "2026-11-25T11:31:01+01:00"}}, FutureTime, "2026-11-25T10:31:01Z is in the future"),
        (
            {"exclude": {"from": "2026-11-23T10:00:00Z", "to": "2026-11-23T09:00:00Z"}},
            InvalidWindow,
            "The window to exclude ends (2026-11-23T09:00:00Z) before it begins (2026-11-23T10:00:00Z).",
        ),
        ({"exclude": {"collections": ["birds"]}}, UnknownCollection, "There is no collection 'birds'; there are "),
    ],
)
def test_an_invalid_input_is_refused_with_one_sentence(workflow_input: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        parse_rebuild_request(workflow_input, KNOWN, NOW)
    assert says in str(caught.value)


def test_the_longest_lists_fit_the_state_twice() -> None:
    """Once in the request, and once in its rules."""
    exclude = {"owners": ["o" * 128] * MAX_OWNERS, "versions": [VERSION] * MAX_VERSIONS}
    request = parse_rebuild_request({"exclude": exclude, "reason": "x" * 500}, KNOWN, NOW)
    state = msgspec.json.encode({"request": request, "exclusions": build_exclusions(request, "r", NOW)})
    assert len(state) < MAX_STATE_BYTES / 2


def exclusion(name: str, minute: int, *rules: ExclusionRule) -> Exclusion:
    return Exclusion(execution=name, rules=rules, reason="", made_at=NOW + datetime.timedelta(minutes=minute))


def test_resetting_the_exclusions_cancels_earlier_ones_and_may_add_others() -> None:
    rule = ExclusionRule(to=NOW)
    before, both = exclusion("before", 0, rule), exclusion("both", 1, rule)
    [added, reset] = build_exclusions(
        parse_rebuild_request({"reset_exclusions": True, "exclude": {"owners": ["o"]}}, KNOWN, NOW),
        "added",
        both.made_at,
    )
    assert (added.execution, reset.rules) == ("added", ())
    after = exclusion("after", 2, rule)
    # In any order, and with duplicates.
    assert select_active_exclusions([after, before, reset, added, before, reset]) == [after, reset, added]
    assert select_active_exclusions([before, both]) == [before, both]
    assert create_exclusion_filter([reset], keeps_line_numbers=False)(line() + b"\n") == line() + b"\n"


def test_an_exclusion_survives_the_database_unchanged() -> None:
    exclusions = [exclusion("one", 0, ExclusionRule(owners=("o",), to=NOW)), exclusion("two", 0)]
    assert decode_exclusion_rows(map(encode_exclusion_row, exclusions)) == exclusions


@pytest.mark.parametrize("path", sorted(EVENTS.glob("*.json")), ids=lambda path: path.stem)
def test_the_sample_events_are_valid(path: Path) -> None:
    sample = json.loads(path.read_text())
    if "step" in sample:
        assert sample["step"] in {"list_retained", "drop_retained"}
        assert sample["step"] == "list_retained" or filter_retained_schemas("sluice", [sample["name"]])
    else:
        parse_rebuild_request(sample, KNOWN, NOW)


def test_a_rule_ends_before_the_rebuild_begins() -> None:
    inputs: list[dict[str, Any]] = [{"exclude": {"owners": ["me"]}}, {"as_of": (NOW - DAY).isoformat()}]
    for value in inputs:
        parsed_exclusion = excluding(**value)
        assert {rule.to for rule in parsed_exclusion.rules} == {NOW}
        assert compute_end_version([parsed_exclusion])[:10] == VERSION[:10]
        before, after = line(version=at(NOW - DAY / 2)), line(version=at(NOW))
        assert filter_lines(parsed_exclusion, before, after) == [after]


def test_as_of_and_exclude_each_exclude_something() -> None:
    parsed_exclusion = excluding(as_of=(NOW - DAY).isoformat(), exclude={"collections": ["codes"]})
    old = at(NOW - 2 * DAY)
    included = line(version=old)
    assert filter_lines(
        parsed_exclusion, included, line(version=at(NOW - DAY / 2)), line(version=old, collection="codes")
    ) == [included]


@pytest.mark.parametrize(
    ("exclude", "excluded", "included"),
    [
        ({"owners": ["you"]}, {"owner": "you"}, {"owner": "me"}),
        ({"owners": ["you"], "collections": ["codes"]}, {"owner": "you", "collection": "codes"}, {"owner": "you"}),
        ({"versions": [at(NOW - DAY)]}, {"version": at(NOW - DAY)}, {}),
        ({"from": "2026-11-25T10:00:00Z"}, {"version": at(NOW - DAY / 100)}, {"version": at(NOW - DAY)}),
        ({"to": "2026-11-25T10:00:00Z"}, {"version": at(NOW - DAY)}, {"version": at(NOW - DAY / 100)}),
    ],
)
def test_a_write_is_excluded_when_it_matches_every_field(
    exclude: dict[str, Any], excluded: dict[str, Any], included: dict[str, Any]
) -> None:
    default = {"version": at(NOW - DAY / 24)}
    if "versions" in exclude:
        exclude = {"versions": [excluded["version"]]}
    assert filter_lines(
        excluding(exclude=exclude), line(**{**default, **excluded}), line(**{**default, **included})
    ) == [line(**{**default, **included})]


def test_a_blank_line_replaces_an_excluded_one() -> None:
    old = line(version=at(NOW - DAY))
    assert filter_lines(
        excluding(exclude={"collections": ["things"]}), old, line(collection="codes"), old, numbered=True
    ) == [
        b"",
        line(collection="codes"),
        b"",
    ]


def test_a_line_that_is_not_a_write_is_not_excluded() -> None:
    parsed_exclusion = excluding(exclude={"collections": ["things"]})
    nothing = [b"no json", b"{}", b'{"version": 1}', b"\xff", b"[" * 100_000]
    assert filter_lines(parsed_exclusion, *nothing) == nothing
    assert create_exclusion_filter([parsed_exclusion], keeps_line_numbers=False)(b"") == b""


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-5, 5)), max_size=8),
    st.sets(st.sampled_from("abc")),
    st.none() | st.integers(-6, 6),
)
def test_the_filter_equals_a_loop_over_the_writes(
    writes: list[tuple[str, int]], owners: set[str], first: int | None
) -> None:
    begins = NOW + datetime.timedelta(milliseconds=first) if first is not None else None
    rule = ExclusionRule(owners=tuple(owners), from_=begins, to=NOW)
    parsed_exclusion = Exclusion(execution="r", rules=(rule,), reason="", made_at=NOW)
    lines = [line(owner=owner, version=at(NOW + datetime.timedelta(milliseconds=n))) for owner, n in writes]
    expected = [
        text
        for text, (owner, n) in zip(lines, writes, strict=True)
        if not ((not owners or owner in owners) and (first is None or first <= n) and n < 0)
    ]
    assert filter_lines(parsed_exclusion, *lines) == expected


def test_the_names_of_the_other_schemas() -> None:
    longest = "s" * 31
    assert len(retained_schema_name(longest, NOW)) <= 64
    assert retained_schema_name("sluice", NOW) == "sluice_until_20261125T103000"
    names = [
        "sluice",
        shadow_schema_name("sluice"),
        "sluice_until_20261125T103000",
        "sluice_until_x",
        "sluice_until_20251125T103000",
    ]
    assert filter_retained_schemas("sluice", names) == ["sluice_until_20251125T103000", "sluice_until_20261125T103000"]
    assert filter_retained_schemas("sluic", names) == []


OUTPUT: dict[str, Any] = {
    "status": "complete", "request": {"source": "batches"}, "listed": 10, "listed_bytes": 100,
    "planned": 9, "bytes": 90,
    "oldest": "2026-11-25T03:00:00Z", "loaded": 9, "already_loaded": 0, "quarantined": 1, "failed": 0,
    "applied": 50, "stale": 5, "rejected": 1, "remaining": 0, "remaining_sample": [], "failures": [], "stopped": False,
}  # fmt: skip
NOTHING = {
    **OUTPUT, "listed": 12, "listed_bytes": 120, "planned": 0, "bytes": 0, "oldest": None,
    "loaded": 0, "quarantined": 0, "applied": 0, "stale": 0, "rejected": 0,
}  # fmt: skip
LEDGER = {"loaded": 11, "applied": 60, "stale": 6, "rejected": 1}
FAILED = {"key": "batches/x", "error": "SchemaOutdated"}


def test_a_rebuild_from_batches_reports_the_sums_of_the_new_ledger() -> None:
    last = {**NOTHING, "planned": 2, "loaded": 2, "applied": 10}
    output = build_rebuild_report(RebuildRequest(), OUTPUT, NOTHING, last, LEDGER)
    assert (output["status"], output["listed"], output["planned"], output["loaded"]) == ("complete", 12, 12, 11)
    assert (output["applied"], output["quarantined"], output["bytes"]) == (60, 1, 120)
    assert output["after_swap"] == {"planned": 2, "loaded": 2, "applied": 10, "failed": 0}


def test_a_failure_of_the_first_replay_does_not_count_when_the_next_one_succeeds() -> None:
    first = {**OUTPUT, "status": "incomplete", "failed": 1, "failures": [FAILED], "stopped": True}
    output = build_rebuild_report(RebuildRequest(), first, NOTHING, NOTHING, LEDGER)
    assert (output["status"], output["failed"], output["failures"], output["stopped"]) == ("complete", 0, [], False)
    archived = {**first, "request": {"source": "archive"}}
    output = build_rebuild_report(RebuildRequest(), archived, NOTHING, NOTHING, LEDGER)
    assert (output["status"], output["failed"], output["failures"]) == ("incomplete", 1, [FAILED])
    assert (output["loaded"], output["applied"]) == (20, 110)


def test_remaining_batches_make_it_incomplete() -> None:
    last = {**NOTHING, "status": "incomplete", "remaining": 1, "remaining_sample": ["batches/x"], "failures": [FAILED]}
    output = build_rebuild_report(RebuildRequest(), OUTPUT, {**last, "failed": 1}, last, LEDGER)
    assert (output["status"], output["remaining"], output["remaining_sample"]) == ("incomplete", 1, ["batches/x"])
    assert output["failures"] == [FAILED]
