"""The client sends no password to a wrong server, and no file to a server that requests it."""

import sys
from pathlib import Path

import pytest

from local.database import DatabaseServers
from local.database.certificates import create_certificates
from sluice.aws.secrets import Credentials
from sluice.db.connection import open_connection
from sluice.errors import DatabaseUnavailable
from tests.database.rig import Rig


@pytest.fixture
def who(servers: DatabaseServers) -> Credentials:
    return Credentials(*servers.admin_credentials)


def test_a_server_of_another_authority_is_refused(
    rig: Rig, who: Credentials, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    open_connection(rig.database._settings, who, statement_timeout_seconds=5).close()
    create_certificates(tmp_path / "others")
    layer = tmp_path / "elsewhere" / "database_trust"
    layer.mkdir(parents=True)
    (layer / "__init__.py").touch()
    (layer / "ca.pem").write_bytes((tmp_path / "others" / "ca.pem").read_bytes())
    monkeypatch.syspath_prepend(layer.parent)
    monkeypatch.delitem(sys.modules, "database_trust", raising=False)
    with pytest.raises(DatabaseUnavailable):
        open_connection(rig.database._settings, who, statement_timeout_seconds=5)


def test_a_server_that_requests_a_file_does_not_get_it(rig: Rig, who: Credentials, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    wanted.write_text("secret\n")
    connection = open_connection(rig.database._settings, who, statement_timeout_seconds=5, for_loading=True)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE stolen (line TEXT)")
        with pytest.raises(RuntimeError, match="local_infile option is false"):
            cursor.execute(f"LOAD DATA LOCAL INFILE '{wanted}' INTO TABLE stolen")
    connection._force_close()  # type: ignore[attr-defined]
