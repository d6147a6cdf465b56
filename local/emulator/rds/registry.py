"""The instances of the emulated RDS, saved with every change."""

import json
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local.database.role import read_role
from local.database.servers import INSTANCES

PREFIX = "sluice-local-"
_FIRST_SERVERS = re.compile(r"primary|replica-[1-9]")
_FIRST_SETTINGS = {
    "DBInstanceClass": "db.t4g.medium",
    "AllocatedStorage": 20,
    "StorageType": "gp3",
    "MultiAZ": False,
    "DBParameterGroupName": "sluice-local",
    "DBSubnetGroupName": "sluice-local",
    "VpcSecurityGroupIds": ["sg-00000000000000001"],
    "CopyTagsToSnapshot": True,
    "DeletionProtection": False,
}
_DEFAULT_SETTINGS = {
    "DBParameterGroupName": "default.mariadb10.11",
    "DBSubnetGroupName": "default",
    "VpcSecurityGroupIds": ["sg-00000000000000000"],
}
RETENTION_DAYS = 7


@dataclass
class Instance:
    """An instance. `resource` is what RDS calls DbiResourceId, which a rename does not change; `source` is that of the
    instance that it replicates. `operation` is the change that is being made: its kind and what it needs."""

    resource: str
    name: str
    status: str
    created: float
    settings: dict[str, Any]
    source: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    operation: dict[str, Any] | None = None

    @property
    def identifier(self) -> str:
        return PREFIX + self.name

    @property
    def retention_days(self) -> int:
        """For how long backups are kept; 0 switches them off."""
        return int(self.settings.get("BackupRetentionPeriod", 0))


class Registry:
    """All instances of the servers below `root`. Changes belong into `change()`, which saves them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._file = root / INSTANCES
        self._lock = threading.RLock()
        self._instances: list[Instance] = []
        self._released: set[str] = set()
        # Name by resource of the deleted instances whose automated backups are kept.
        self.retained: dict[str, str] = {}
        if self._file.exists():
            saved = json.loads(self._file.read_text())
            self._instances = [Instance(**instance) for instance in saved["instances"]]
            self._released, self.retained = set(saved["released"]), saved["retained"]

    @contextmanager
    def change(self) -> Iterator[None]:
        """Change instances, and save them at the end."""
        with self._lock:
            yield
            self._save()

    def _save(self) -> None:
        content = {
            "instances": [asdict(instance) for instance in self._instances],
            "released": sorted(self._released),
            "retained": self.retained,
        }
        self.root.mkdir(parents=True, exist_ok=True)
        new_file = self._file.with_suffix(".new")
        new_file.write_text(json.dumps(content, indent=1))
        new_file.replace(self._file)

    def list_instances(self) -> list[Instance]:
        """All instances, with the servers that the stack has made meanwhile."""
        with self._lock:
            self._register_servers()
            return list(self._instances)

    def _register_servers(self) -> None:
        used_names = {instance.name for instance in self._instances} | self._released
        names = sorted(path.parent.name for path in self.root.glob("*/data"))
        new = [name for name in names if _FIRST_SERVERS.fullmatch(name) and name not in used_names]
        # Sources first. The data of a replica may be there before those of its source: it waits for that.
        sources = {name: read_role(self.root / name).source for name in new}
        for name in sorted(new, key=lambda name: sources[name]):
            self._register_server(name, sources[name])

    def _register_server(self, name: str, source_name: str) -> None:
        source = next((other.resource for other in self._instances if other.name == source_name), "")
        if bool(source) == bool(source_name):
            settings = {**_FIRST_SETTINGS, "BackupRetentionPeriod": 0 if source else RETENTION_DAYS}
            self.add(name, "available", settings, source=source)
            self._save()

    def add(self, name: str, status: str, settings: dict[str, Any], **fields: Any) -> Instance:
        """Add an instance, inside `change()`. What RDS does not copy from elsewhere has its defaults."""
        resource = f"db-{secrets.token_hex(13).upper()}"
        instance = Instance(resource, name, status, time.time(), {**_DEFAULT_SETTINGS, **settings}, **fields)
        self._instances.append(instance)
        return instance

    def remove(self, instance: Instance) -> None:
        self._instances.remove(instance)
        self._released.add(instance.name)

    def rename(self, instance: Instance, name: str) -> None:
        self._released.add(instance.name)
        instance.name = name

    def find(self, identifier: str) -> Instance | None:
        """The instance of this identifier or ARN. Capitals do not matter, as on RDS."""
        wanted = identifier.rpartition(":")[2].lower()
        return next((other for other in self.list_instances() if other.identifier == wanted), None)

    def find_resource(self, resource: str) -> Instance | None:
        return next((other for other in self.list_instances() if other.resource == resource), None)

    def list_replicas(self, instance: Instance) -> list[Instance]:
        return [other for other in self.list_instances() if other.source == instance.resource]
