"""A password is rotated step by step, and the current password works all the time."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from local.database import DatabaseServers
from sluice.aws.secrets import Credentials
from sluice.errors import AccessDenied, RotationFailed
from sluice.rotation import password_rotation
from sluice.rotation.password_rotation import PasswordRotation
from tests.database.rotation_rig import ROLES, STEPS, Accounts, Vault, vault


@pytest.fixture(scope="module")
def shared_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with vault(tmp_path_factory.mktemp("vault")) as opened:
        yield opened


@pytest.fixture
def accounts(servers: DatabaseServers, database: str, shared_vault: Vault, trust: None) -> Iterator[Accounts]:
    accounts = Accounts(servers, database, shared_vault)
    yield accounts
    accounts.drop()


@pytest.mark.parametrize("role", ROLES)
def test_a_rotation_sets_a_new_password_and_keeps_the_previous_one(accounts: Accounts, role: str) -> None:
    first, statement = accounts.password(role), accounts.user_statement(role)
    accounts.rotate(role)
    second = accounts.password(role)
    assert (len(second), second.isalnum(), second != first) == (32, True, True)
    assert (accounts.can_log_in(role, first), accounts.can_log_in(role, second)) == (True, True)
    assert (
        statement.endswith(" REQUIRE SSL")
        == accounts.user_statement(role).endswith(" REQUIRE SSL")
        == (role != "admin")
    )
    text = accounts.secrets.get_secret_value(SecretId=accounts.arns[role])["SecretString"]
    assert '"more":"stays"' in text

    accounts.rotate(role)
    passwords = [first, second, accounts.password(role)]
    assert [accounts.can_log_in(role, password) for password in passwords] == [False, True, True]
    assert accounts.user_statement(role).count("mysql_native_password") == 2


def test_the_replica_accepts_the_new_password_before_the_reader_gets_it(accounts: Accounts) -> None:
    first = accounts.password("reader")
    accounts.rotate("reader")
    replica = accounts.servers.replica
    assert [accounts.can_log_in("reader", password, replica) for password in (first, accounts.password("reader"))] == [
        True,
        True,
    ]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("completed", range(1, 5))
def test_a_rotation_that_stopped_after_any_step_can_be_repeated(accounts: Accounts, role: str, completed: int) -> None:
    rotation, first = accounts.begin(role), accounts.password(role)
    for step in STEPS[:completed]:
        rotation.run_step(step)
    pending = accounts.password(role, rotation.version)
    assert accounts.can_log_in(role, accounts.password(role)), "the secret's password must work at any time"
    statement = accounts.user_statement(role)
    accounts.servers.wait_for_replicas()
    for step in STEPS:
        rotation.run_step(step)
    assert accounts.password(role, rotation.version) == accounts.password(role) == pending
    assert accounts.can_log_in(role, first)
    if completed >= 2:
        assert accounts.user_statement(role) == statement


def test_an_abandoned_rotation_does_not_block_the_next(accounts: Accounts) -> None:
    abandoned, first = accounts.begin("loader"), accounts.password("loader")
    abandoned.run_step("createSecret")
    abandoned.run_step("setSecret")
    unused = accounts.password("loader", abandoned.version)
    accounts.secrets.update_secret_version_stage(
        SecretId=accounts.arns["loader"], VersionStage="AWSPENDING", RemoveFromVersionId=abandoned.version
    )
    accounts.rotate("loader")
    passwords = [unused, first, accounts.password("loader")]
    assert [accounts.can_log_in("loader", password) for password in passwords] == [False, True, True]
    with pytest.raises(RotationFailed, match="not pending"):
        abandoned.run_step("setSecret")


class StoppedReplicas:
    """Replicas that apply nothing: all of them, or the last ones."""

    def __init__(self, servers: DatabaseServers, *, first: int = 0) -> None:
        self._replicas = servers.replicas[first:]

    def __enter__(self) -> None:
        self._run("STOP SLAVE SQL_THREAD")

    def __exit__(self, *_: object) -> None:
        self.resume()

    def resume(self) -> None:
        self._run("START SLAVE SQL_THREAD")

    def _run(self, statement: str) -> None:
        for replica in self._replicas:
            with replica.connect_as_root() as connection, connection.cursor() as cursor:
                cursor.execute(statement)


def test_a_password_that_every_replica_lacks_does_not_become_current(accounts: Accounts) -> None:
    rotation, first = accounts.begin("reader", patience=0.6), accounts.password("reader")
    with StoppedReplicas(accounts.servers):
        rotation.run_step("createSecret")
        rotation.run_step("setSecret")
        with pytest.raises(AccessDenied):
            rotation.run_step("testSecret")
        assert accounts.password("reader") == first
        assert accounts.can_log_in("reader", first, accounts.servers.replica)
        assert accounts.can_log_in("reader", first)
    accounts.servers.wait_for_replicas()
    for step in STEPS:
        rotation.run_step(step)
    assert accounts.can_log_in("reader", accounts.password("reader"), accounts.servers.replica)


@pytest.mark.parametrize("fault", ["down", "late"])
def test_one_of_two_replicas_does_not_keep_the_old_password_in_force(accounts: Accounts, fault: str) -> None:
    rotation, servers = accounts.begin("reader", patience=0.6), accounts.servers
    other = servers.replicas[1]
    with contextlib.ExitStack() as stack:
        if fault == "down":
            other.stop()
        else:
            stack.enter_context(StoppedReplicas(servers, first=1))
        for step in STEPS:
            rotation.run_step(step)
    second = accounts.password("reader")
    assert accounts.password("reader", rotation.version) == second
    assert accounts.can_log_in("reader", second, servers.replica)
    servers.start()
    servers.wait_for_replicas()
    assert accounts.can_log_in("reader", second, other)


def test_a_replica_that_hangs_leaves_time_for_the_others(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password_rotation, "LOGIN_TIMEOUT_SECONDS", 1)
    rotation, pid = accounts.begin("reader", patience=0.6), accounts.servers.replica.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        for step in STEPS:
            rotation.run_step(step)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert accounts.can_log_in("reader", accounts.password("reader"), accounts.servers.replicas[1])


def test_a_rotation_waits_for_a_late_replica(accounts: Accounts) -> None:
    standing, rotation = StoppedReplicas(accounts.servers), accounts.begin("reader")
    with standing:
        rotation.run_step("createSecret")
        rotation.run_step("setSecret")
        later = threading.Timer(1.0, standing.resume)
        later.start()
        started = time.monotonic()
        rotation.run_step("testSecret")
        assert time.monotonic() - started > 0.9
        later.join()


def test_no_log_contains_a_password(accounts: Accounts) -> None:
    log = accounts.servers.primary.data / "general.log"
    accounts.root.run(f"SET GLOBAL general_log_file = '{log.name}'")
    accounts.root.run("SET GLOBAL general_log = 1")
    try:
        for role in ROLES:
            accounts.rotate(role)
    finally:
        accounts.root.run("SET GLOBAL general_log = 0")
    written = b"".join(path.read_bytes() for path in [log, *accounts.servers.primary.data.glob("binlog.0*")])
    log.unlink()
    for role in ROLES:
        assert accounts.password(role).encode() not in written
        [second] = accounts.user_statement(role).split("'")[3::4]
        assert second.encode() in written, "the logs contain its hash"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("completed", [2, 4])
def test_a_migration_does_not_disturb_a_rotation(accounts: Accounts, role: str, completed: int) -> None:
    rotation = accounts.begin(role)
    for step in STEPS[:completed]:
        rotation.run_step(step)
    statement = accounts.user_statement(role)
    assert accounts.migrate() == []
    assert accounts.user_statement(role) == statement


def test_a_migration_that_replaces_a_user_keeps_the_pending_password(accounts: Accounts) -> None:
    rotation, name = accounts.begin("reader"), accounts.names["reader"]
    rotation.run_step("createSecret")
    rotation.run_step("setSecret")
    accounts.root.run(f"GRANT DELETE ON {accounts.schema}.* TO {name}")
    assert accounts.migrate() == ["replace the reader's database user and grant SELECT"]
    for step in STEPS[2:]:
        rotation.run_step(step)
    assert accounts.can_log_in("reader", accounts.password("reader"))


def test_a_secret_that_was_changed_by_hand_replaces_both_passwords(accounts: Accounts) -> None:
    first = accounts.password("loader")
    accounts.rotate("loader")
    second = accounts.password("loader")
    text = accounts.secrets.get_secret_value(SecretId=accounts.arns["loader"])["SecretString"]
    accounts.secrets.put_secret_value(SecretId=accounts.arns["loader"], SecretString=text.replace(second, "by hand"))
    assert accounts.migrate() == ["renew the loader's password"]
    assert [accounts.can_log_in("loader", password) for password in (first, second, "by hand")] == [False, False, True]


def test_a_rotation_waits_for_a_running_migration(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password_rotation, "LOCK_SECONDS", 0.2)
    rotation = accounts.begin("loader")
    rotation.run_step("createSecret")
    with accounts.servers.primary.connect(*accounts.servers.admin_credentials) as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (f"sluice {accounts.schema}"[:64],))
        with pytest.raises(RotationFailed, match="A migration is changing the users"):
            rotation.run_step("setSecret")
    rotation.run_step("setSecret")


def test_a_missing_user_is_reported(accounts: Accounts) -> None:
    rotation = accounts.begin("loader")
    rotation.run_step("createSecret")
    accounts.root.run(f"DROP USER {accounts.names['loader']}")
    with pytest.raises(RotationFailed, match="no such user; run the migrate function"):
        rotation.run_step("setSecret")


def test_an_admin_with_a_wrong_password_changes_nothing(accounts: Accounts) -> None:
    statement, rotation = accounts.user_statement("loader"), accounts.begin("loader")
    rotation.run_step("createSecret")
    wrong = PasswordRotation(
        rotation.versions,
        rotation.version,
        primary=accounts.primary,
        read_admin=lambda: Credentials(accounts.names["admin"], "wrong"),
    )
    with pytest.raises(AccessDenied) as refused:
        wrong.run_step("setSecret")
    assert "wrong" not in str(refused.value)
    assert accounts.user_statement("loader") == statement


def test_a_password_that_was_replaced_meanwhile_does_not_become_current(accounts: Accounts) -> None:
    rotation, first = accounts.begin("admin"), accounts.password("admin")
    for step in STEPS[:3]:
        rotation.run_step(step)
    accounts.root.run(f"ALTER USER {accounts.names['admin']} IDENTIFIED BY '{first}'")
    with pytest.raises(AccessDenied):
        rotation.run_step("finishSecret")
    assert accounts.password("admin") == first
    for step in STEPS:
        rotation.run_step(step)
    assert accounts.can_log_in("admin", accounts.password("admin"))


@pytest.mark.parametrize("step", ["setSecret", "finishSecret"])
def test_a_version_without_a_password_is_refused(accounts: Accounts, step: str) -> None:
    rotation, first = accounts.begin("loader"), accounts.password("loader")
    with pytest.raises(RotationFailed, match="createSecret must run first"):
        rotation.run_step(step)
    assert accounts.password("loader") == first


def test_the_trial_before_a_schedule_tests_the_current_password(accounts: Accounts) -> None:
    accounts.begin("reader").run_step("testSecret")
    accounts.root.run(f"ALTER USER {accounts.names['reader']} IDENTIFIED BY 'other'")
    with pytest.raises(AccessDenied):
        accounts.rotation("reader", _pending(accounts), patience=0.2).run_step("testSecret")


def _pending(accounts: Accounts) -> str:
    stages_of_versions: dict[str, list[str]] = accounts.secrets.describe_secret(SecretId=accounts.arns["reader"])[
        "VersionIdsToStages"
    ]
    return next(version for version, stages in stages_of_versions.items() if "AWSPENDING" in stages)


def test_an_unknown_step_or_version_is_refused(accounts: Accounts) -> None:
    rotation = accounts.begin("loader")
    with pytest.raises(RotationFailed, match="unknown step"):
        rotation.run_step("dropSecret")
    with pytest.raises(RotationFailed, match="not pending"):
        accounts.rotation("loader", "0" * 32).run_step("createSecret")
