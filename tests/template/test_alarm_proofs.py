"""Each alarm of the template has a drill that makes it fire, and no drill is about an alarm that does not exist."""

from ops.template import read_template
from tests.drill.alarm_proofs import PROOFS
from tests.drill.alarm_site import ALARM_TYPES


def test_every_alarm_is_proven_once() -> None:
    proven = [alarm for proof in PROOFS for alarm in proof.alarms]
    resources = read_template()["Resources"]
    alarms = [name for name, entry in resources.items() if entry["Type"] in ALARM_TYPES]
    assert sorted(proven) == sorted(alarms)
