"""The privileges of the loader and the reader, tested by what they can and cannot do."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pymysql
import pytest

from local.database import DatabaseServers
from sluice.aws.secrets import Credentials
from sluice.errors import MigrationFailed
from sluice.schema.grants import LOADER_PRIVILEGES, READER_PRIVILEGES, DatabaseUser
from tests.database.migration_rig import Migrated, notes


@pytest.fixture
def schema(servers: DatabaseServers, database: str, connect: Any) -> Migrated:
    return Migrated(servers, database, connect)


@pytest.fixture
def users(servers: DatabaseServers) -> Iterator[tuple[DatabaseUser, DatabaseUser]]:
    mark = uuid4().hex[:8]
    loader = DatabaseUser(
        "loader", Credentials(f"loader_{mark}", "the loader's 'own' %s \\ \" pass"), LOADER_PRIVILEGES
    )
    reader = DatabaseUser("reader", Credentials(f"reader_{mark}", uuid4().hex), READER_PRIVILEGES)
    yield loader, reader
    with servers.primary.connect(*servers.admin_credentials) as connection, connection.cursor() as cursor:
        for user in (loader, reader):
            cursor.execute(f"DROP USER IF EXISTS {user.credentials.username}")


def run_as(schema: Migrated, user: DatabaseUser, statement: str) -> None:
    account = (user.credentials.username, user.credentials.password)
    with schema.connect(account=account, autocommit=True).cursor() as cursor:
        cursor.execute(statement)


INSERT = "INSERT INTO notes VALUES ('', UUID(), '', NOW(), 0, 'text')"
FORBIDDEN_TO_ALL = [
    "CREATE TABLE more (id INT)",
    "ALTER TABLE notes ADD COLUMN more INT",
    "DROP TABLE notes",
    "TRUNCATE TABLE notes",
    "CREATE USER somebody",
    "GRANT SELECT ON notes TO somebody",
    "SELECT * FROM mysql.global_priv",
    "SELECT 1 INTO OUTFILE '/tmp/out'",
    "SET GLOBAL max_connections = 1",
]


def is_denied(schema: Migrated, user: DatabaseUser, statement: str) -> bool:
    try:
        run_as(schema, user, statement)
    except pymysql.Error as error:
        return error.args[0] in {1044, 1045, 1142, 1227, 1290, 1410, 1698}
    return False


def test_the_loader_can_only_load(schema: Migrated, users: tuple[DatabaseUser, DatabaseUser]) -> None:
    schema.run(notes(text=str), users=users)
    account = (users[0].credentials.username, users[0].credentials.password)
    with schema.connect(account=account, local_infile=True).cursor() as cursor:
        for statement in (
            "CREATE OR REPLACE TEMPORARY TABLE stage LIKE notes",
            "INSERT INTO stage VALUES ('', UUID(), '', NOW(), 0, 'text')",
            "INSERT INTO notes SELECT * FROM stage",
            "UPDATE notes SET text = 'else'",
            "SELECT * FROM notes",
            "DELETE FROM notes",
            "DROP TEMPORARY TABLE stage",
        ):
            cursor.execute(statement)
    assert [statement for statement in FORBIDDEN_TO_ALL if not is_denied(schema, users[0], statement)] == []


def test_the_reader_can_only_read(schema: Migrated, users: tuple[DatabaseUser, DatabaseUser]) -> None:
    schema.run(notes(text=str), users=users)
    run_as(schema, users[1], "SELECT * FROM notes")
    forbidden = [
        *FORBIDDEN_TO_ALL,
        INSERT,
        "UPDATE notes SET text = ''",
        "DELETE FROM notes",
        "CREATE TEMPORARY TABLE stage (id INT)",
    ]
    assert [statement for statement in forbidden if not is_denied(schema, users[1], statement)] == []


def test_a_schema_with_a_similar_name_is_not_accessible(
    schema: Migrated, users: tuple[DatabaseUser, DatabaseUser]
) -> None:
    schema.run(notes(text=str), users=users)
    similar = schema.schema.replace("_", "x")
    schema.sql(f"CREATE DATABASE {similar}")
    try:
        schema.sql(f"CREATE TABLE {similar}.secrets (id INT)")
        assert [user.role for user in users if not is_denied(schema, user, f"SELECT * FROM {similar}.secrets")] == []
    finally:
        schema.sql(f"DROP DATABASE {similar}")


def test_both_need_tls(schema: Migrated, users: tuple[DatabaseUser, DatabaseUser]) -> None:
    schema.run(notes(text=str), users=users)
    for user in users:
        user_statement = schema.sql(f"SHOW CREATE USER {user.credentials.username}")[0][0]
        assert user_statement.endswith(" REQUIRE SSL")


def test_a_second_run_changes_no_user(schema: Migrated, users: tuple[DatabaseUser, DatabaseUser]) -> None:
    schema.run(notes(text=str), users=users)
    before = schema.binary_log_position()
    assert schema.run(notes(text=str), users=users).done == ()
    assert schema.binary_log_position() == before


def test_a_new_password_replaces_the_old_one(schema: Migrated, users: tuple[DatabaseUser, DatabaseUser]) -> None:
    schema.run(notes(text=str), users=users)
    loader = DatabaseUser("loader", Credentials(users[0].credentials.username, "another"), LOADER_PRIVILEGES)
    assert schema.run(notes(text=str), users=(loader, users[1])).done == ("renew the loader's password",)
    run_as(schema, loader, INSERT)
    assert is_denied(schema, users[0], INSERT)
    assert not is_denied(schema, users[1], "SELECT * FROM notes")


def test_other_grants_of_a_user_are_revoked(schema: Migrated, users: tuple[DatabaseUser, DatabaseUser]) -> None:
    schema.run(notes(text=str), users=users)
    name, role = users[1].credentials.username, f"r{uuid4().hex[:8]}"
    schema.sql(f"CREATE ROLE {role}")
    try:
        for grant in (f"GRANT DELETE ON {schema.schema}.* TO {name}", f"GRANT {role} TO {name}"):
            schema.sql(grant)
            assert schema.run(notes(text=str), users=users).done == (
                "replace the reader's database user and grant SELECT",
            )
            grants = [row[0] for row in schema.sql(f"SHOW GRANTS FOR {name}")]
            assert len(grants) == 3
            assert is_denied(schema, users[1], "DELETE FROM notes")
        run_as(schema, users[1], "SELECT * FROM notes")
    finally:
        schema.sql(f"DROP ROLE {role}")


def test_a_user_that_lost_its_tls_gets_it_back(schema: Migrated, users: tuple[DatabaseUser, DatabaseUser]) -> None:
    schema.run(notes(text=str), users=users)
    schema.sql(f"ALTER USER {users[1].credentials.username} REQUIRE NONE")
    assert schema.run(notes(text=str), users=users).done
    assert schema.sql(f"SHOW CREATE USER {users[1].credentials.username}")[0][0].endswith(" REQUIRE SSL")


def test_a_refusal_changes_no_user(schema: Migrated, users: tuple[DatabaseUser, DatabaseUser]) -> None:
    schema.run(notes(text=str))
    with pytest.raises(MigrationFailed, match="Nothing was changed"):
        schema.run(notes(other=str), users=users)
    assert is_denied(schema, users[0], "SELECT 1")


@pytest.mark.parametrize("clash", ["admin", "each other"])
def test_one_name_for_two_users_is_refused(
    schema: Migrated, users: tuple[DatabaseUser, DatabaseUser], clash: str
) -> None:
    name = schema.servers.admin_credentials[0] if clash == "admin" else users[0].credentials.username
    reader = DatabaseUser("reader", Credentials(name, "x"), READER_PRIVILEGES)
    with pytest.raises(MigrationFailed, match="need three different user names"):
        schema.run(notes(text=str), users=(users[0], reader))
    schema.connect()  # the admin can still log in


def test_an_empty_password_is_refused(schema: Migrated, users: tuple[DatabaseUser, DatabaseUser]) -> None:
    reader = DatabaseUser("reader", Credentials(users[1].credentials.username, ""), READER_PRIVILEGES)
    with pytest.raises(MigrationFailed, match="The reader's secret needs a user name and a password"):
        schema.run(notes(text=str), users=(users[0], reader))


def test_no_password_reaches_the_server_s_log(schema: Migrated, users: tuple[DatabaseUser, DatabaseUser]) -> None:
    with schema.servers.primary.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = ON")
        try:
            schema.run(notes(text=str), users=users)
            renewed = DatabaseUser(
                "loader", Credentials(users[0].credentials.username, "the renewed one"), LOADER_PRIVILEGES
            )
            schema.run(notes(text=str), users=(renewed, users[1]))
        finally:
            cursor.execute("SET GLOBAL general_log = OFF")
        cursor.execute("SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log")
        log = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("TRUNCATE TABLE mysql.general_log")
    assert users[0].credentials.username in log
    for password in ("the loader", users[1].credentials.password, "the renewed one"):
        assert password not in log
        assert password not in repr(users)
