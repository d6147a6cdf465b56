"""A primary with a full disk is unavailable until there is space."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.database import DatabaseServer, DatabaseServers
from local.database.installation import create_data_directories
from sluice.db.connection import Database
from sluice.errors import DatabaseUnavailable
from sluice.model.record import Write
from sluice.settings import DatabaseSettings
from tests.database.rig import Rig
from tests.database.things import put

NO_ROOM = {
    "tables": ("--innodb-file-per-table=OFF", "--innodb-data-file-path=ibdata1:12M:autoextend:max:24M"),
    "stage": ("--innodb-temp-data-file-path=ibtmp1:12M:autoextend:max:12M",),
}


@pytest.fixture(params=NO_ROOM)
def small(request: pytest.FixtureRequest, rig: Rig, servers: DatabaseServers, tmp_path: Path) -> Iterator[Rig]:
    """A loader on its own primary, which has little space for its tables or for the stage."""
    server = DatabaseServer(tmp_path / "small", certificates=servers.ca.parent, settings=NO_ROOM[request.param])
    create_data_directories([server.data], tmp_path / "installing")
    server.start()
    username, password = servers.admin_credentials
    with server.connect_as_root() as root, root.cursor() as cursor:
        cursor.execute("CREATE DATABASE small CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
        cursor.execute("GRANT ALL ON small.* TO %s@'%%' IDENTIFIED BY %s", (username, password))
    settings = DatabaseSettings(server.host, server.port, "small", "admin")
    connection = server.connect(username, password, database="small")
    small = dataclasses.replace(
        rig, connection=connection, database=Database(settings, statement_timeout_seconds=30, for_loading=True)
    )
    small.make_tables()
    yield small
    small.database.drop_connection()
    connection.close()
    server.stop()
    shutil.rmtree(server.directory)


def large(number: int) -> list[Write]:
    return [put({"label": "x", "story": "x" * 40_000}) for _ in range(number)]


def test_no_disk_space_for_a_batch(small: Rig) -> None:
    """2 MB, then 40 MB, then 2 MB again. All writes are older than the mark, so that they need the stage too."""
    latest = put({"label": "x"})
    latest.version = "1" + latest.version[1:]
    assert small.load(*large(49), latest).status == "loaded"
    with pytest.raises(DatabaseUnavailable, match="1114"):
        small.load(*large(1000))
    assert small.rows("SELECT COUNT(*) AS n FROM things") == [{"n": 50}]
    assert small.load(*large(50)).applied == 50
    assert len(small.rows("SELECT 1 FROM loaded_batches")) == 2
