"""Rotate a database password: one of the four steps of Secrets Manager per event.

The event is `{"Step", "SecretId", "ClientRequestToken"}`. Only secrets of this stack are rotated.
"""

from typing import Any

from sluice.aws.secrets import get_secrets_client, read_credentials
from sluice.errors import RotationFailed
from sluice.observability import Event, add_log_fields, instrument_handler
from sluice.rotation.password_rotation import PasswordRotation, SecretVersions
from sluice.settings import RotateSettings, place_databases, read_settings

_settings = read_settings(RotateSettings)
_replicas = place_databases(_settings.replica_endpoints, _settings.database_name, "")
# In a stack with its own database the admin changes its own password too.
_roles = {
    _settings.loader_secret_arn: "loader",
    _settings.reader_secret_arn: "reader",
    _settings.database_secret_arn: "admin",
}


@instrument_handler
def handle(event: Event, _context: Any) -> None:
    """Run one step. Raises RotationFailed, and the database errors of `sluice.errors`; Secrets Manager then retries."""
    step, secret = event["Step"], event["SecretId"]
    role = _roles.get(secret)
    add_log_fields(step=step, secret_of=role)
    if role is None:
        raise RotationFailed("The secret does not belong to this stack.")
    PasswordRotation(
        SecretVersions(get_secrets_client(), secret),
        event["ClientRequestToken"],
        primary=_settings,
        read_admin=lambda: read_credentials(_settings.database_secret_arn),
        # The reader reads the ledger from the primary and everything else from a replica; the others use the primary.
        replicas=_replicas if role == "reader" else (),
    ).run_step(step)
