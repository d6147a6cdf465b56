"""Every check, in the order of the report."""

from ops.verify import (
    alarms,
    archive,
    backups,
    edge,
    observability,
    permissions,
    restore,
    round_trip,
    service_levels,
    workflows,
)
from ops.verify.check import Check

CHECKS: dict[str, Check] = {
    check.name: check
    for module in (
        round_trip,
        service_levels,
        edge,
        archive,
        workflows,
        backups,
        restore,
        permissions,
        observability,
        alarms,
    )
    for check in module.CHECKS
}
