"""Every alarm, in the order of the template and of the reference."""

from tools.monitoring.alarms import database, functions, read_path, service_levels, workflows, write_path
from tools.monitoring.model import Alarm, CompositeAlarm

ALARMS: tuple[Alarm, ...] = (
    *write_path.ALARMS,
    *workflows.ALARMS,
    *functions.ALARMS,
    *read_path.ALARMS,
    *database.ALARMS,
    *service_levels.ALARMS,
)
COMPOSITE_ALARMS: tuple[CompositeAlarm, ...] = service_levels.COMPOSITE_ALARMS
