"""Rotate a database password: one of Secrets Manager's four steps per event.

`{"Step", "SecretId", "ClientRequestToken"}`, for a secret of this stack only.
"""

from typing import Any

from sluice.aws.secrets import read_credentials
from sluice.errors import RotationFailed
from sluice.observability import Event, add_log_fields, instrument_handler
from sluice.rotation.password_rotation import PasswordRotation, SecretVersions
from sluice.settings import DatabaseSettings, RotateSettings, read_settings

_settings = read_settings(RotateSettings)
_replica = DatabaseSettings(_settings.replica_host, _settings.replica_port, _settings.database_name, "")
# The admin changes itself too, in a stack that made its database.
_roles = {
    _settings.loader_secret_arn: "loader",
    _settings.reader_secret_arn: "reader",
    _settings.database_secret_arn: "admin",
}


@instrument_handler
def handle(event: Event, _context: Any) -> None:
    """Take one step. Raises RotationFailed, and the faults of `sluice.db.errors`; Secrets Manager then tries again."""
    step, secret = event["Step"], event["SecretId"]
    role = _roles.get(secret)
    add_log_fields(step=step, secret_of=role)
    if role is None:
        raise RotationFailed("The secret is none of this stack's.")
    PasswordRotation(
        SecretVersions(secret),
        event["ClientRequestToken"],
        primary=_settings,
        admin=lambda: read_credentials(_settings.database_secret_arn),
        # The reader reads the ledger from the primary and all else from the replica; the others enter the primary only.
        login_targets=(_settings, _replica) if role == "reader" else (_settings,),
    ).run_step(step)
