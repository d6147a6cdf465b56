"""Rotate a database password: one of Secrets Manager's four steps per event.

`{"Step", "SecretId", "ClientRequestToken"}`, for a secret of this stack only.
"""

from typing import Any

from sluice.credentials import credentials
from sluice.observability import Event, note, observed
from sluice.rotating.failures import CannotRotate
from sluice.rotating.steps import Rotation
from sluice.rotating.versions import Versions
from sluice.settings import DatabaseSettings, RotateSettings, read

_settings = read(RotateSettings)
_replica = DatabaseSettings(_settings.replica_host, _settings.replica_port, _settings.database_name, "")
# The admin changes itself too, in a stack that made its database.
_roles = {
    _settings.loader_secret_arn: "loader",
    _settings.reader_secret_arn: "reader",
    _settings.database_secret_arn: "admin",
}


@observed
def handle(event: Event, _context: Any) -> None:
    """Take one step. Raises CannotRotate, and the faults of `sluice.faults`; Secrets Manager then tries again."""
    step, secret = event["Step"], event["SecretId"]
    role = _roles.get(secret)
    note(step=step, secret_of=role)
    if role is None:
        raise CannotRotate("The secret is none of this stack's.")
    Rotation(
        Versions(secret),
        event["ClientRequestToken"],
        primary=_settings,
        admin=lambda: credentials(_settings.database_secret_arn),
        # The reader reads the ledger from the primary and all else from the replica; the others enter the primary only.
        entered=(_settings, _replica) if role == "reader" else (_settings,),
    ).step(step)
