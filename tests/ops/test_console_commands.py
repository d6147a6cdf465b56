"""Commands that the console's page runs: a dry run first, then the stack's name."""

import pytest

from ops.console.messages import CommandRequest
from ops.console.runs import DRY_RUN_SECONDS, RefusedError, Runs
from ops.output import print_error
from tests.ops.console_client import ConsoleClient
from tests.ops.stub_stack import REPLAY_REPORT, STACK_NAME, StubStack

RESTORE_PLAN = {
    "summary": "The replica db-r1 becomes db; db-lost-1 keeps the present instance.",
    "replicas": [{"name": "replica-1", "identifier": "db-r1", "old": "db-r1-old-1"}],
    "notices": [],
}
RESTORE_REPORT = {
    "status": "complete", "seconds": 200, "stamp": "261129041500", "began": "2026-11-29T04:15:00Z",
    "is_continued": True, "restored": RESTORE_PLAN["summary"], "loaded": 4, "database": {"summary": "All is well."},
    "notices": [], "leftovers": [], "report": {"bucket": "b", "key": "k"},
}  # fmt: skip
NO_DRY_RUN = "was not tried with these arguments in the latest 15 minutes."


def read_problem(console: ConsoleClient, name: str, status: int, **options: object) -> str:
    response = console.post_command(name, **options)  # type: ignore[arg-type]
    assert response.status_code == status, response.text
    return str(response.json()["message"])


def test_a_replay_runs_after_its_dry_run(console: ConsoleClient, stub_stack: StubStack) -> None:
    stub_stack.put_object("batches/2026/11/25/03/a.gz")
    before = len(stub_stack.list_executions("Replay"))
    window = {"begins": "2026-11-25T00:00:00Z", "collections": ["airports"]}
    assert NO_DRY_RUN in read_problem(console, "replay", 409, dry_run=False, **window)
    assert len(stub_stack.list_executions("Replay")) == before
    stub_stack.set_workflow_output("Replay", {**REPLAY_REPORT, "status": "planned"})
    lines, exit_code, report = console.run_command("replay", dry_run=True, **window)
    assert lines[0] == "dry run: 3 batches would be loaded; nothing was changed"
    assert (exit_code, report["planned"]) == (0, 3)
    assert stub_stack.latest_input("Replay")["dry_run"] is True
    # The dry run of other arguments permits nothing.
    assert NO_DRY_RUN in read_problem(console, "replay", 409, dry_run=False, **window, source="archive")
    stub_stack.set_workflow_output("Replay", REPLAY_REPORT)
    lines, exit_code, report = console.run_command("replay", dry_run=False, **window)
    assert (lines[0], exit_code, report["loaded"]) == ("complete: nothing remains", 0, 2)
    request = stub_stack.latest_input("Replay")
    assert (request["dry_run"], request["from"], request["collections"]) == (
        False, "2026-11-25T00:00:00Z", ["airports"],
    )  # fmt: skip
    # It permits one run.
    assert NO_DRY_RUN in read_problem(console, "replay", 409, dry_run=False, **window)


def test_nothing_is_destroyed_without_dry_run_and_name(console: ConsoleClient, stub_stack: StubStack) -> None:
    key = "batches/2026/11/25/03/q.gz"
    stub_stack.put_object(key)
    stub_stack.put_object(f"quarantine/{key}")
    drop = "quarantine drop"
    for confirmation in ("", "other", f"{STACK_NAME} "):
        message = read_problem(console, drop, 409, dry_run=False, confirmation=confirmation, keys=[key])
        assert message == "quarantine drop cannot be undone."
    assert NO_DRY_RUN in read_problem(console, drop, 409, dry_run=False, confirmation=STACK_NAME, keys=[key])
    # The name does not make a dry run more than that.
    lines, exit_code, _ = console.run_command(drop, dry_run=True, confirmation=STACK_NAME, keys=[key])
    assert (lines, exit_code) == (["dry run: would drop 1 batch", f"  {key}"], 0)
    assert read_problem(console, drop, 409, dry_run=False, keys=[key]) == "quarantine drop cannot be undone."
    assert len(stub_stack.list_keys()) == 2
    lines, exit_code, _ = console.run_command(drop, dry_run=False, confirmation=STACK_NAME, keys=[key])
    assert (lines[0], exit_code, stub_stack.list_keys()) == ("dropped 1 batch", 0, [])


def test_a_restore_runs_after_its_plan_and_the_name(console: ConsoleClient, stub_stack: StubStack) -> None:
    source = {"promote": "replica-1", "delete_old_replicas": True}
    stub_stack.set_workflow_output("Restore", {"status": "planned", "plan": RESTORE_PLAN})
    lines, exit_code, _ = console.run_command("restore", dry_run=True, **source)
    assert (exit_code, lines[1]) == (0, "  The replica db-r1 becomes db; db-lost-1 keeps the present instance.")
    assert stub_stack.latest_input("Restore")["dry_run"] is True
    before = len(stub_stack.list_executions("Restore"))
    message = read_problem(console, "restore", 409, dry_run=False, **source)
    assert message == "restore cannot be undone."
    assert NO_DRY_RUN in read_problem(console, "restore", 409, dry_run=False, confirmation=STACK_NAME, latest=True)
    assert len(stub_stack.list_executions("Restore")) == before
    stub_stack.set_workflow_output("Restore", RESTORE_REPORT)
    lines, exit_code, report = console.run_command("restore", dry_run=False, confirmation=STACK_NAME, **source)
    assert (lines[0], exit_code) == ("restored in 3 min 20 s, continued; it began at 2026-11-29T04:15:00Z", 0)
    assert (report["stamp"], report["is_continued"]) == ("261129041500", True)
    request = stub_stack.latest_input("Restore")
    assert request == {
        "to": None, "snapshot": None, "promote": "replica-1", "stamp": None, "delete_old_replicas": True,
        "dry_run": False,
    }  # fmt: skip


def test_a_restore_has_one_source(shared_console: ConsoleClient) -> None:
    source = {"promote": "replica-1", "snapshot": "s"}
    assert "not allowed with argument" in read_problem(shared_console, "restore", 400, dry_run=True, **source)


def test_a_failed_dry_run_permits_nothing(console: ConsoleClient, stub_stack: StubStack) -> None:
    window = {"begins": "2020-01-01", "ends": "2020-01-02"}
    lines, exit_code, report = console.run_command("replay", dry_run=True, **window)
    assert (exit_code, report) == (2, None)
    assert lines[0].startswith("sluice: The batches bucket has no object in the window")
    assert NO_DRY_RUN in read_problem(console, "replay", 409, dry_run=False, **window)


@pytest.mark.parametrize(
    ("name", "arguments", "part"),
    [
        ("replay", {"nope": 1}, "replay has no argument nope."),
        ("replay", {"dry_run": True}, "replay has no argument dry_run."),
        ("quarantine drop", {"yes": STACK_NAME}, "quarantine drop has no argument yes."),
        ("replay", {"source": "nope"}, "Argument --source: invalid choice: 'nope'"),
        ("replay", {"begins": "2126-01-01"}, "2126-01-01 is in the future"),
        ("replay", {"collections": [["x"]]}, "The value of collections is not a list."),
        ("quarantine retry", {"all": "yes"}, "The value of all is not a flag."),
        ("replay", {"begins": "--source=archive"}, "'--source=archive' is not a time."),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    shared_console: ConsoleClient, name: str, arguments: dict[str, object], part: str
) -> None:
    document = {"arguments": arguments, "dry_run": True}
    response = shared_console.post(f"/api/commands/{name}", json=document, headers={"origin": shared_console.origin})
    assert response.status_code == 400
    assert part in response.json()["message"]


def test_an_argument_that_looks_like_an_option_is_a_value(console: ConsoleClient, stub_stack: StubStack) -> None:
    lines, exit_code, _ = console.run_command("quarantine drop", dry_run=True, keys=["--all"])
    assert (exit_code, lines[0]) == (2, "sluice: --all is not quarantined.")


@pytest.mark.parametrize("name", ["deploy", "status", "rebuild ", "quarantine list", "clients remove"])
def test_only_listed_commands_run(shared_console: ConsoleClient, name: str) -> None:
    assert shared_console.post_command(name, dry_run=True).status_code == 404


@pytest.mark.parametrize(
    "body", ["", "[]", "{}", '{"arguments": [], "dry_run": true}', '{"arguments": {}, "dry_run": 1}', "[" * 9999]
)
def test_a_body_that_is_no_request_is_refused(shared_console: ConsoleClient, body: str) -> None:
    headers = {"origin": shared_console.origin, "content-type": "application/json"}
    assert shared_console.post("/api/commands/replay", content=body, headers=headers).status_code == 400


def test_lines_are_streamed_while_the_command_runs(console: ConsoleClient, stub_stack: StubStack) -> None:
    """A second reader gets all lines, also afterwards."""
    stub_stack.set_workflow_output("Recover", {"outcome": "nothing_missing", "waited": 0, "replay": {"planned": 0}}, 1)
    console.run_command("recover", dry_run=True)
    run = console.post_command("recover", dry_run=False).json()["run"]
    first = list(console.stream_events(f"/api/runs/{run}/events"))
    assert first == list(console.stream_events(f"/api/runs/{run}/events"))
    assert first[0] == ("line", {"text": "nothing was missing; waited 0 s for the primary"})
    assert console.get("/api/runs/nope/events").status_code == 404


def test_a_dry_run_is_valid_for_some_minutes(console: ConsoleClient, stub_stack: StubStack) -> None:
    clock = [0.0]
    runs = Runs(console.server.session._stack, lambda: clock[0])
    request = CommandRequest({}, dry_run=True)
    run = runs.find(runs.start("recover", request))
    while not run.is_ended:
        run.read_after(10, 10)
    clock[0] = DRY_RUN_SECONDS + 1
    with pytest.raises(RefusedError, match="was not tried"):
        runs.start("recover", CommandRequest({}, dry_run=False))


def test_errors_of_another_thread_stay_there(console: ConsoleClient, capsys: pytest.CaptureFixture[str]) -> None:
    console.run_command("recover", dry_run=True)
    print_error("of this thread")
    assert capsys.readouterr().err == "of this thread\n"
