"""A game day of `sluice verify`: what it compares, and how it makes the outage."""

import itertools
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ops.checks import CheckResult
from ops.errors import UsageError
from ops.verify import game_day
from ops.verify import subject as subject_module
from ops.verify.check import CheckFailed
from ops.verify.contract import Collection
from ops.verify.outage import Outage, choose_outage
from ops.verify.run import run_checks
from ops.verify.subject import OwnWrite, Subject
from tests.ops.conftest import Sluice
from tests.ops.stub_service import CLOUDFRONT, ServiceSubject, StubService, StubStackOfService, start_stub_service
from tests.ops.stub_stack import STACK_NAME, StubStack

NOTES = Collection("notes", is_private=True, key="", examples=({"text": "a"},))


class NotesService(StubService):
    """Accepts notes with ids of its own. `lost` are written and never read; `is_refusing` refuses new ones."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)
        self.lost = {"0"}
        self.is_refusing = False

    def answer(self, request: str) -> tuple[int, dict[str, str], Any] | None:
        method, path = request.split(" ")
        if method == "POST":
            return self._accept()
        if method == "DELETE":
            return 202, CLOUDFRONT, {"version": "D"}
        identifier = path.split("/")[3]
        if path.endswith(f"/writes/v{identifier}"):
            return 200, CLOUDFRONT, {"status": "applied"}
        return None if identifier in self.lost else (200, CLOUDFRONT, {"version": f"v{identifier}"})

    def _accept(self) -> tuple[int, dict[str, str], Any]:
        if self.is_refusing:
            return 500, CLOUDFRONT, {"detail": "Broken."}
        identifier = str(next(self._numbers))
        return 202, CLOUDFRONT, {"id": identifier, "version": f"v{identifier}"}


@pytest.fixture
def service() -> Iterator[NotesService]:
    with start_stub_service(NotesService()) as service:
        yield service


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject_module, "DELIVERY_MARGIN_SECONDS", 0.2)
    monkeypatch.setattr(subject_module, "POLL_SECONDS", 0.05)
    for name in ("PAUSE_SECONDS", "STEADY_SECONDS", "RECOVERY_MARGIN_SECONDS"):
        monkeypatch.setattr(game_day, name, 0.1)


def run_game_day(service: NotesService, outage: Outage, key: str = "") -> tuple[CheckResult, list[str]]:
    class NotesSubject(ServiceSubject):
        def own_write(self) -> OwnWrite:
            return OwnWrite(Collection("notes", True, key, NOTES.examples), "0", "v0", "", "", 0)

    subject: Subject = NotesSubject(StubStackOfService(service.url))  # type: ignore[arg-type]
    [result] = run_checks(subject, [game_day.create_check(outage)])
    return result, subject.clean_up()


def test_everything_that_was_accepted_is_compared_and_deleted(service: NotesService) -> None:
    def outage(subject: Subject) -> str:
        subject.sleep(0.3)
        return "failover"

    result, remains = run_game_day(service, outage)
    assert (result.state, remains) == ("ok", [])
    assert "none refused; each is read with its version" in result.message
    requests = [request for request, _ in service.requests]
    written = {request for request in requests if request.startswith("POST")}
    deleted = [request for request in requests if request.startswith("DELETE")]
    assert written == {"POST /v1/notes"}
    assert len(deleted) == len(set(deleted)) == sum(request.startswith("POST") for request in requests) > 4


def test_a_write_that_is_lost_fails(service: NotesService) -> None:
    service.lost |= {"3"}
    result, remains = run_game_day(service, lambda _: "failover")
    assert (result.state, remains) == ("failed", [])
    assert result.message.startswith("1 accepted write of ")
    assert "(first /v1/notes/3, version v3)" in result.message


def test_writes_that_are_refused_fail(service: NotesService) -> None:
    def outage(subject: Subject) -> str:
        service.is_refusing = True
        subject.sleep(0.3)
        service.is_refusing = False
        return "failover"

    result, _ = run_game_day(service, outage)
    assert (result.state, "writes were refused, " in result.message) == ("failed", True)
    assert "500 (Broken)" in result.message


def test_an_outage_that_fails_is_the_result_and_items_are_deleted(service: NotesService) -> None:
    def outage(_: Subject) -> str:
        raise CheckFailed("The outage did not work.", "Mend it.")

    result, remains = run_game_day(service, outage)
    assert (result.state, result.message, remains) == ("failed", "The outage did not work.", [])
    assert any(request.startswith("DELETE") for request, _ in service.requests)


def test_a_collection_with_natural_keys_is_refused(service: NotesService) -> None:
    result, _ = run_game_day(service, lambda _: "failover", key="tail")
    assert (result.state, "are not the service's own" in result.message) == ("failed", True)


class Rds:
    """The part of boto3's RDS client that an outage needs: the instance is away for two answers after a reboot."""

    def __init__(self, *, is_multi_az: bool) -> None:
        self.is_multi_az = is_multi_az
        self.reboots: list[dict[str, Any]] = []
        self.answers = ["available", "available", "rebooting", "rebooting", "available"]

    def describe_db_instances(self, DBInstanceIdentifier: str) -> Any:  # noqa: N803
        status = self.answers.pop(0)
        return {"DBInstances": [{"MultiAZ": self.is_multi_az, "DBInstanceStatus": status, "Id": DBInstanceIdentifier}]}

    def reboot_db_instance(self, **request: Any) -> None:
        self.reboots.append(request)


class StackWithDatabase:
    """A stack that owns its database."""

    name = "s"
    parameters = {"ProvisionDatabase": "true"}

    def __init__(self, rds: Rds) -> None:
        self._rds = rds

    def client(self, _service: str) -> Any:
        return self._rds

    def list_resources(self, _type: str) -> dict[str, str]:
        return {"Primary": "db-1", "Replica": "db-2"}


class SubjectWithoutPauses(Subject):
    def sleep(self, seconds: float) -> None:
        """Do not sleep."""


@pytest.mark.parametrize(
    ("is_multi_az", "description"),
    [(True, "failover of db-1"), (False, "reboot of db-1, which has no standby")],
)
def test_the_primary_of_the_stack_is_rebooted_with_a_failover_if_it_has_a_standby(
    is_multi_az: bool, description: str
) -> None:
    rds = Rds(is_multi_az=is_multi_az)
    stack: Any = StackWithDatabase(rds)
    assert choose_outage(stack, None)(SubjectWithoutPauses(stack)) == description
    assert rds.reboots == [{"DBInstanceIdentifier": "db-1", "ForceFailover": is_multi_az}]
    assert rds.answers == []


def test_the_command_of_the_operator_makes_the_outage() -> None:
    stack: Any = StackWithDatabase(Rds(is_multi_az=True))
    subject = Subject(stack)
    assert choose_outage(stack, f"{sys.executable} -c pass")(subject) == "outage by the command"
    failing = 'import sys; print("no standby.", file=sys.stderr); sys.exit(3)'
    with pytest.raises(CheckFailed, match="ended with 3: no standby"):
        choose_outage(stack, f"{sys.executable} -c '{failing}'")(subject)
    with pytest.raises(CheckFailed, match="did not run"):
        choose_outage(stack, "/no/such/command")(subject)


def test_an_existing_database_needs_a_command() -> None:
    stack: Any = StackWithDatabase(Rds(is_multi_az=True))
    stack.parameters = {"ProvisionDatabase": "false"}
    with pytest.raises(UsageError, match=r"is not the stack's own\. Give --outage-command"):
        choose_outage(stack, None)


def test_a_game_day_is_confirmed_with_the_name_of_the_stack(sluice: Sluice, stub_stack: StubStack) -> None:
    error = sluice("verify", "--game-day", "--outage-command", "true").usage_error()
    assert error == (
        f"This makes the primary of {STACK_NAME} fail over. To confirm without a terminal, give --yes {STACK_NAME}."
    )
