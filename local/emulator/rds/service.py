"""Put the emulated RDS in the place of MiniStack's, for a stack that has database servers."""

import os
import threading
from pathlib import Path
from typing import Any

from ministack.services import rds

from local.emulator.durability import report
from local.emulator.environment import DATABASE_FOLDER, NIGHTLY_BACKUPS
from local.emulator.firehose.ministack import wait_for_server
from local.emulator.patching import UnexpectedMiniStackError, replace_function

_REPLACED = {
    "DescribeDBInstances": ("_describe_db_instances", "5d4caee66547"),
    "DescribeDBSnapshots": ("_describe_db_snapshots", "b2457edb05e7"),
    "RestoreDBInstanceFromDBSnapshot": ("_restore_from_snapshot", "7a2234de0cf5"),
    "CreateDBInstanceReadReplica": ("_create_read_replica", "7cefdd490f3c"),
    "CreateDBSnapshot": ("_create_db_snapshot", "0dd595a1e795"),
    "ModifyDBInstance": ("_modify_db_instance", "05a4f3f74e13"),
    "RebootDBInstance": ("_reboot_db_instance", "14969817bba5"),
    "DeleteDBInstance": ("_delete_db_instance", "a08b42eacbd8"),
    "DeleteDBSnapshot": ("_delete_db_snapshot", "3b57144d5ed3"),
    "ListTagsForResource": ("_list_tags", "8118cedd0645"),
    "AddTagsToResource": ("_add_tags", "bf4b3ffaa34f"),
}
_ADDED = {"DescribeDBInstanceAutomatedBackups", "RestoreDBInstanceToPointInTime", "PromoteReadReplica"}


def patch() -> None:
    folder = os.environ.get(DATABASE_FOLDER)
    if not folder:
        return
    # Only an emulator of a stack needs the packages of the database.
    from local.database import DatabaseServers  # noqa: PLC0415
    from local.database.backups import Backups  # noqa: PLC0415
    from local.emulator.rds.changes import Changes  # noqa: PLC0415
    from local.emulator.rds.descriptions import Descriptions  # noqa: PLC0415
    from local.emulator.rds.operations import Operations  # noqa: PLC0415
    from local.emulator.rds.registry import Registry  # noqa: PLC0415
    from local.emulator.rds.schedule import BackupClock  # noqa: PLC0415
    from local.emulator.rds.without_server import add_instances_without_server  # noqa: PLC0415

    root = Path(folder).resolve()
    servers, backups, registry = DatabaseServers(root), Backups(root), Registry(root)
    changes = Changes(registry, servers, backups)
    descriptions = Descriptions(registry, servers, backups)
    operations = Operations(registry, changes, backups, descriptions)
    _replace_handlers(add_instances_without_server(operations.list_handlers(), rds._ACTION_MAP.copy(), registry))
    clock = BackupClock(registry, changes, backups, descriptions, is_nightly=bool(os.environ.get(NIGHTLY_BACKUPS)))

    def run() -> None:
        wait_for_server()
        backups.delete_unfinished()
        report.add("changes of database instances resumed", changes.resume())
        clock.run()

    threading.Thread(target=run, daemon=True, name="rds").start()


def _replace_handlers(handlers: dict[str, Any]) -> None:
    if set(handlers) != set(_REPLACED) | _ADDED or _ADDED & set(rds._ACTION_MAP):
        raise UnexpectedMiniStackError("MiniStack's RDS has operations that the local stack adds; adapt the patch.")
    for action, handler in handlers.items():
        if action in _REPLACED:
            replace_function(rds, *_REPLACED[action], handler)
        rds._ACTION_MAP[action] = handler
