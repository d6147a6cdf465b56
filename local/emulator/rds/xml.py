"""The XML of RDS's responses, and the parameters of its requests."""

import datetime
from collections.abc import Mapping
from typing import Any

from ministack.services import rds

Response = tuple[int, dict[str, str], bytes]

# The element of each list; see the service model of RDS in botocore.
_MEMBERS = {
    "DBInstances": "DBInstance",
    "DBSnapshots": "DBSnapshot",
    "DBInstanceAutomatedBackups": "DBInstanceAutomatedBackup",
    "DBParameterGroups": "DBParameterGroup",
    "VpcSecurityGroups": "VpcSecurityGroupMembership",
    "ReadReplicaDBInstanceIdentifiers": "ReadReplicaDBInstanceIdentifier",
    "StatusInfos": "DBInstanceStatusInfo",
    "TagList": "Tag",
}
_FLAGS = {"true": True, "false": False}


class RequestError(Exception):
    """RDS refuses a request, with its error code."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


def build_response(action: str, content: Mapping[str, Any]) -> Response:
    """The response of an operation. A list is an element for each of its members."""
    inner = f"<{action}Result>{_format_value(content)}</{action}Result>"
    response: Response = rds._xml(200, f"{action}Response", inner)
    return response


def build_error(error: RequestError) -> Response:
    response: Response = rds._error(error.code, rds._esc(str(error)), error.status)
    return response


def _format_value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case Mapping():
            return "".join(_format_element(name, part) for name, part in value.items() if part is not None)
        case _:
            return str(rds._esc(str(value)))


def _format_element(name: str, value: Any) -> str:
    if isinstance(value, list):
        members = "".join(_format_element(_MEMBERS[name], part) for part in value)
        return f"<{name}>{members}</{name}>"
    return f"<{name}>{_format_value(value)}</{name}>"


def format_time(seconds: float | None) -> str | None:
    return None if seconds is None else str(rds._format_time(seconds))


class Request:
    """The parameters of a request."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._values = {
            name: str(value[0] if isinstance(value, list) else value) for name, value in parameters.items() if value
        }

    def get(self, name: str) -> str:
        """The value, or an empty text."""
        return self._values.get(name, "")

    def require(self, name: str) -> str:
        if not self.get(name):
            raise RequestError("MissingParameter", f"The request must contain the parameter {name}.")
        return self.get(name)

    def get_flag(self, name: str, *, default: bool = False) -> bool:
        value = self.get(name).lower() or str(default).lower()
        if value not in _FLAGS:
            raise RequestError("InvalidParameterValue", f"{name} must be true or false.")
        return _FLAGS[value]

    def get_number(self, name: str) -> int | None:
        if not self.get(name):
            return None
        try:
            return int(self.get(name))
        except ValueError:
            raise RequestError("InvalidParameterValue", f"{name} must be a number.") from None

    def get_time(self, name: str) -> float | None:
        """A moment in seconds since 1970, without fractions as RDS has them, or None."""
        if not self.get(name):
            return None
        try:
            moment = datetime.datetime.fromisoformat(self.get(name))
        except ValueError:
            raise RequestError("InvalidParameterValue", f"{name} must be a time.") from None
        return float(int(moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()))

    def list_values(self, name: str) -> list[str]:
        """The members of a list of texts."""
        return [value for key, value in sorted(self._values.items()) if key.startswith(f"{name}.")]

    def read_tags(self) -> dict[str, str]:
        keys = {key.removesuffix(".Key") for key in self._values if key.startswith("Tags.") and key.endswith(".Key")}
        return {self._values[f"{key}.Key"]: self._values.get(f"{key}.Value", "") for key in sorted(keys)}

    def read_settings(self) -> dict[str, Any]:
        """The settings of an instance that the request names."""
        texts = ("DBInstanceClass", "StorageType", "DBParameterGroupName", "DBSubnetGroupName", "PreferredBackupWindow")
        settings: dict[str, Any] = {name: self.get(name) for name in texts if self.get(name)}
        for name in ("MultiAZ", "CopyTagsToSnapshot", "DeletionProtection", "PubliclyAccessible"):
            if self.get(name):
                settings[name] = self.get_flag(name)
        for name in ("BackupRetentionPeriod", "AllocatedStorage"):
            if (number := self.get_number(name)) is not None:
                settings[name] = number
        if groups := self.list_values("VpcSecurityGroupIds"):
            settings["VpcSecurityGroupIds"] = groups
        if not 0 <= settings.get("BackupRetentionPeriod", 0) <= 35:
            raise RequestError("InvalidParameterValue", "BackupRetentionPeriod must be from 0 to 35.")
        return settings
