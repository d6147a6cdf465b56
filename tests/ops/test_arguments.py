"""The arguments of the command, its times and its output, without a stack."""

import datetime
import sys
from io import StringIO
from typing import Any

import pytest

from ops.cli import COMMANDS, build_parser
from ops.commands.rebuild import parse_exclusions
from ops.errors import UsageError
from ops.output import format_batches, format_size, format_table, require_confirmation
from ops.times import format_duration, format_time, parse_time
from tests.ops.conftest import Sluice


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02", "2026-01-02T00:00:00Z"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04+01:00", "2026-01-02T02:04:00Z"),
    ],
)
def test_a_time_is_parsed(text: str, expected: str) -> None:
    assert format_time(parse_time(text)) == expected


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("90m", 5400), ("2h", 7200), ("3d", 259200)])
def test_an_age_is_parsed(text: str, seconds: int) -> None:
    assert abs((now() - parse_time(text)).total_seconds() - seconds) < 5


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("yesterday", "is not a time"),
        ("2026-13-01", "is not a time"),
        ("2026-01-02T03:04:05", "has no time zone. Write 2026-01-02T03:04:05Z"),
        ("2126-01-01", "is in the future: it is now 20"),
        ("99999999d", "99999999d ago is before all writes"),
        ("700000d", "before all writes"),
        ("0001-01-01T00:00:00+14:00", "before all writes. To start from the beginning, omit the option"),
    ],
)
def test_an_invalid_time_is_a_usage_error(text: str, part: str) -> None:
    with pytest.raises(UsageError, match=part):
        parse_time(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3_725, "1 h 2 min"), (3_605, "1 h"), (90_000, "1 d 1 h"), (-3, "0 s")],
)
def test_a_duration_is_formatted(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_counts_sizes_and_tables_are_formatted() -> None:
    assert [format_batches(count) for count in (0, 1, 1200)] == ["0 batches", "1 batch", "1,200 batches"]
    assert [format_size(count) for count in (5, 1536, 3 << 20, 5 << 40)] == ["5 bytes", "1.5 KiB", "3.0 MiB", "5.0 TiB"]
    assert format_table(("a", "long"), [("1234", "x")]) == ["a     long", "1234  x"]


def test_every_command_accepts_the_common_options_before_and_after_its_name() -> None:
    required = {
        "quarantine": ["list"],
        "rejected-writes": ["list"],
        "clients": ["list"],
        "new": ["resource", "things", "--from", "things.csv"],
        "import": ["things.csv", "--collection", "things"],
        "export": ["--collection", "things"],
    }
    for verb in COMMANDS:
        words = [verb, *required.get(verb, [])]
        after = build_parser().parse_args([*words, "--stack-name", "s", "--region", "r", "--profile", "p", "--json"])
        before = build_parser().parse_args(["--stack-name", "s", "--region", "r", "--profile", "p", "--json", *words])
        for arguments in (before, after):
            assert (arguments.stack_name, arguments.region, arguments.profile, arguments.json) == ("s", "r", "p", True)
        bare = build_parser().parse_args(words)
        assert (bare.stack_name, bare.region, bare.profile, bare.json) == (None, None, None, False)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["bogus"],
        ["replay", "--mode", "some"],
        ["replay", "--from"],
        ["replay", "--nothing"],
        ["rejected-writes"],
        ["executions", "--limit", "many"],
    ],
)
def test_an_invalid_command_line_is_a_usage_error(bare_sluice: Sluice, words: list[str]) -> None:
    assert "--help`." in bare_sluice(*words).usage_error()


def test_an_invalid_time_in_the_command_line_is_a_usage_error(bare_sluice: Sluice) -> None:
    assert "has no time zone" in bare_sluice("replay", "--from", "2026-01-02T03:04:05").usage_error()


def test_exclusions_are_parsed() -> None:
    exclusions = parse_exclusions(["owner=a,owner=b,c,collection=things", "from=2026-01-01,to=2026-01-02", "version=V"])
    assert exclusions == {
        "owners": ["a", "b,c"],
        "collections": ["things"],
        "from": "2026-01-01T00:00:00Z",
        "to": "2026-01-02T00:00:00Z",
        "versions": ["V"],
    }
    assert parse_exclusions([]) == {"owners": [], "collections": [], "from": None, "to": None, "versions": []}


@pytest.mark.parametrize("text", ["owner=", "owners=a", "a", "from=later", "from=2026-01-02,to=2026-01-01"])
def test_invalid_exclusions_are_usage_errors(text: str) -> None:
    with pytest.raises(UsageError):
        parse_exclusions([text])


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_confirmation(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def typed(text: str, kind: Any = _Terminal) -> None:
        monkeypatch.setattr(sys, "stdin", kind(text))

    require_confirmation("mine", "drops all", "mine")
    with pytest.raises(UsageError, match="Nothing was done"):
        require_confirmation("mine", "drops all", "yours")
    typed("mine\n")
    require_confirmation("mine", "drops all", None)
    assert "This drops all.\nType the name of the stack, mine" in capsys.readouterr().err
    for text in ("yes\n", ""):
        typed(text)
        with pytest.raises(UsageError, match="Nothing was done"):
            require_confirmation("mine", "drops all", None)
    assert capsys.readouterr().err.endswith("to continue: \n")  # nothing was typed, not even a line's end
    typed("mine\n", StringIO)
    with pytest.raises(UsageError, match="give --yes mine"):
        require_confirmation("mine", "drops all", None)
    monkeypatch.setattr(sys, "stdin", None)  # closed
    with pytest.raises(UsageError, match="give --yes mine"):
        require_confirmation("mine", "drops all", None)
