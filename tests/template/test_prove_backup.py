"""The workflow prove_backup on the emulator, with stub functions. The tests take every branch."""

from collections.abc import Iterator
from typing import Any

import pytest

from ops.template import ResolvedTemplate, read_template
from tests.template.branches import find_taken_branches, list_branches
from tests.template.running import (
    Definition,
    Run,
    Running,
    build_counting_function,
    build_inbox,
    build_state_machine,
    deploy_workflow,
    limit_retries,
    read_definition,
)

SCRIPT = """
    def script():
        return json.loads(pathlib.Path(os.environ["FOLDER"], "script").read_text())

    def step(name):
        present = script()
        return stumble(present.get("errors", {}).get(name), f"{present['run']}-{name}")
"""
INSTANCE = (
    SCRIPT
    + """
    def handle(event, context):
        attempt = step(event["step"])
        state = event["state"]
        if event["step"] == "begin":
            return {**state, "proof": {"outcome": "", "loaded": False}}
        if event["step"] == "check":
            return {**state, "available": attempt > script().get("waits", 0)}
        if event["step"] == "report":
            outcome = "failed" if "error" in state else state["proof"]["outcome"]
            summary = state.get("error", {}).get("Error", "All is equal") + "."
            return {"outcome": outcome, "summary": summary, "not_deleted": "not_deleted" in state}
        return {}
"""
)
DATABASES = (
    SCRIPT
    + """
    def handle(event, context):
        attempt = step(event["step"])
        state = event["state"]
        proof = state["proof"]
        if event["step"] == "read":
            proof["outcome"] = script().get("read", "")
        if event["step"] == "load":
            proof["loaded"] = attempt >= 2
        if event["step"] == "compare":
            proof["outcome"] = "" if attempt < 2 else script().get("outcome", "proven")
        return state
"""
)
DEFINITION = read_definition("prove_backup")


def hurry(whole: Definition, *, waits: int = 479) -> Definition:
    """The same workflow that waits for a second each time, and for so many times."""
    whole = {**whole, "States": {**whole["States"], "Wait": {**whole["States"]["Wait"], "Seconds": 1}}}
    choices = [dict(rule) for rule in whole["States"]["IsAvailable"]["Choices"]]
    choices[1]["NumericGreaterThan"] = waits
    whole["States"]["IsAvailable"] = {**whole["States"]["IsAvailable"], "Choices": choices}
    return whole


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("calls")
    functions = {"ProofInstance": INSTANCE, "Proof": DATABASES}
    substitutions: dict[str, Any] = {f"{name}Function": {"Fn::GetAtt": [name, "Arn"]} for name in functions}
    substitutions |= {"Alerts": {"Ref": "Alerts"}}
    resources = {
        **{name: build_counting_function(code, folder) for name, code in functions.items()},
        **build_inbox(),
        "Mute": build_state_machine(
            limit_retries(hurry(DEFINITION)),
            **{**substitutions, "Alerts": "arn:aws:sns:us-east-1:000000000000:nowhere"},
        ),
        "Patient": build_state_machine(hurry(DEFINITION), **substitutions),
        "Hasty": build_state_machine(limit_retries(hurry(DEFINITION, waits=1)), **substitutions),
    }
    with deploy_workflow("proof", resources, tmp_path_factory.mktemp("emulator"), folder) as running_workflows:
        yield running_workflows


def prove(running: Running, machine: str = "Patient", **script: Any) -> Run:
    return Run(running, machine, {}, **script)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"ProvisionDatabase": "false", "PrimaryInstance": "orders"},
        {
            "ProvisionDatabase": "false",
            "PrimaryInstance": "orders",
            "SubnetIds": "subnet-1,subnet-2",
            "SecurityGroupIds": "sg-1",
        },
    ],
    ids=["own database", "existing database", "existing database in a VPC"],
)
def test_the_copy_is_read_from_where_the_primary_is_loaded(parameters: dict[str, str]) -> None:
    """The copy is in the network of the primary, so whatever reaches one of them reaches the other."""
    template = ResolvedTemplate(read_template(), {**parameters, "BackupProof": "weekly"}, "sluice", "eu-west-1")
    networks = [
        template.resources[function]["Properties"].get("VpcConfig") for function in ("ProofFunction", "LoadFunction")
    ]
    assert networks[0] == networks[1]
    assert (networks[0] is None) == (parameters != {} and "SubnetIds" not in parameters)
    assert "VpcConfig" not in template.resources["ProofInstanceFunction"]["Properties"]


RESTORING = ["Name", "Begin", "Wait", "Check", "IsAvailable"]
READING = ["SetPassword", "Migrate", "Read", "IsComparable"]
LOADING = ["Load", "IsLoaded"] * 2
COMPARING = ["Compare", "IsCompared"] * 2
REPORTING = ["Delete", "Report", "Notify", "HasOutcome"]


def test_a_backup_is_restored_loaded_compared_and_deleted(running: Running) -> None:
    run = prove(running)
    assert run.states == [*RESTORING, *READING, *LOADING, *COMPARING, *REPORTING, "Ended"]
    assert run.output["outcome"] == "proven"
    name = run.execution.rsplit(":", 1)[-1]
    messages = [message for message in running.messages() if name in message["Message"]]
    assert [message["Subject"] for message in messages] == ["Sluice: backup proven"]
    assert messages[0]["Message"] == f"All is equal. `sluice executions {name}` shows the details."


def test_the_instance_is_awaited(running: Running) -> None:
    run = prove(running, waits=2)
    assert run.states.count("CountWait") == 2
    assert run.output["outcome"] == "proven"


def test_an_instance_that_is_never_available_is_deleted(running: Running) -> None:
    run = prove(running, "Hasty", waits=9)
    assert run.states[-6:] == ["NeverAvailable", *REPORTING, "NotProven"]
    assert (run.end["error"], run.end["cause"]) == ("NotProven", "NeverAvailable.")


def test_what_cannot_be_compared_is_no_failure(running: Running) -> None:
    run = prove(running, read="not_comparable")
    assert run.states == [*RESTORING, *READING, *REPORTING, "Ended"]


def test_a_difference_fails(running: Running) -> None:
    run = prove(running, outcome="different")
    assert run.states[-5:] == [*REPORTING, "NotProven"]
    assert run.calls("delete") == 1


STEPS = ["begin", "check", "set_password", "migrate", "read", "load", "compare", "delete", "report"]


@pytest.mark.parametrize("step", STEPS)
def test_a_failed_step_is_retried(running: Running, step: str) -> None:
    run = prove(running, "Mute", errors={step: ["DatabaseUnavailable"]})
    assert run.end["status"] == "SUCCEEDED", run.end
    assert run.calls("delete") == (2 if step == "delete" else 1)


@pytest.mark.parametrize("step", ["begin", "check", "set_password", "migrate", "read", "load", "compare"])
def test_after_a_step_that_keeps_failing_the_instance_is_deleted(running: Running, step: str) -> None:
    run = prove(running, "Hasty", errors={step: ["DatabaseUnavailable!"]})
    assert run.states[-5:] == [*REPORTING, "NotProven"]
    assert run.end["cause"] == "DatabaseUnavailable."
    assert run.calls("delete") == 1


@pytest.mark.parametrize("error", ["SnapshotNotFound", "InstanceNotFound", "NotRestorable"])
def test_without_a_snapshot_nothing_is_retried(running: Running, error: str) -> None:
    run = prove(running, errors={"begin": [f"{error}!"]})
    assert (run.calls("begin"), run.end["cause"]) == (1, f"{error}.")


def test_a_second_proof_touches_nothing_of_the_first(running: Running) -> None:
    run = prove(running, errors={"begin": ["ProofInProgress!"]})
    assert run.states == ["Name", "Begin", "NotStarted"]
    assert (run.end["error"], run.calls("delete")) == ("ProofInProgress", 0)


def test_a_refused_migration_is_not_retried(running: Running) -> None:
    run = prove(running, errors={"migrate": ["MigrationRefused!"]})
    assert (run.calls("migrate"), run.calls("delete")) == (1, 1)


def test_an_instance_that_cannot_be_deleted_is_reported(running: Running) -> None:
    run = prove(running, "Hasty", errors={"delete": ["InstanceBusy!"]})
    assert run.output["not_deleted"] is True


def test_a_report_that_cannot_be_written_fails(running: Running) -> None:
    run = prove(running, "Hasty", errors={"report": ["OSError!"]})
    assert run.states[-4:] == ["NoReport", "Notify", "HasOutcome", "NotProven"]
    assert run.end["cause"] == "The report could not be written: OSError."


def test_a_message_that_cannot_be_sent_changes_nothing(running: Running) -> None:
    assert prove(running, "Mute").states[-1] == "Ended"


@pytest.mark.usefixtures("all_of_module")
def test_every_branch_was_taken(running: Running) -> None:
    """Runs last: it checks which branches the tests above took."""
    seen = {branch for history in running.histories() for branch in find_taken_branches(DEFINITION, history)}
    # The instance that is never available is awaited for less long in the tests.
    assert list_branches(DEFINITION) - seen == {"IsAvailable: rule 2, to NeverAvailable"}
