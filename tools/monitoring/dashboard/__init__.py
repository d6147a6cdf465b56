"""The dashboard: the service levels and the write path first, then each part with the state of its alarms.

A test fails for an alarm that no section has.
"""

from tools.monitoring.alarms import service_levels
from tools.monitoring.dashboard import capacity, clients, writes

SECTIONS = (
    clients.SERVICE_LEVELS,
    writes.WRITE_PATH,
    writes.LOADING,
    clients.READING,
    capacity.DATABASE,
    capacity.FUNCTIONS,
    capacity.COSTS,
)
# Alarms that no section shows, with the reason.
NOT_SHOWN: dict[str, str] = {
    alarm.name: "a part of a composite alarm, which is shown" for alarm in service_levels.ALARMS if alarm.is_part
}
