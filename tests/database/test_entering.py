"""A server that is not ours, or that asks for what it should not, gets nothing."""

import sys
from pathlib import Path

import pytest

from local.database import Pair
from local.database.tls import make_certificates
from sluice.credentials import Credentials
from sluice.database import enter
from sluice.faults import DatabaseAway
from sluice.trust import tls
from tests.database.rig import Rig


@pytest.fixture
def who(pair: Pair) -> Credentials:
    return Credentials(*pair.admin)


def test_a_server_of_another_authority_is_refused(
    rig: Rig, who: Credentials, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    enter(rig.database._settings, who, statement_seconds=5).close()
    make_certificates(tmp_path / "others")
    layer = tmp_path / "elsewhere" / "database_trust"
    layer.mkdir(parents=True)
    (layer / "__init__.py").touch()
    (layer / "ca.pem").write_bytes((tmp_path / "others" / "ca.pem").read_bytes())
    monkeypatch.syspath_prepend(layer.parent)
    monkeypatch.delitem(sys.modules, "database_trust", raising=False)
    tls.cache_clear()
    with pytest.raises(DatabaseAway):
        enter(rig.database._settings, who, statement_seconds=5)


def test_a_server_that_asks_for_a_file_does_not_get_it(rig: Rig, who: Credentials, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    wanted.write_text("secret\n")
    connection = enter(rig.database._settings, who, statement_seconds=5, loading=True)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE stolen (line TEXT)")
        with pytest.raises(RuntimeError, match="local_infile option is false"):
            cursor.execute(f"LOAD DATA LOCAL INFILE '{wanted}' INTO TABLE stolen")
    connection._force_close()  # type: ignore[attr-defined]
