"""Every alarm fires because of a fault, and goes back to OK after it, as the CloudWatch API says."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from local.stack import down
from tests.drill.alarm_faults import report_proof_age
from tests.drill.alarm_proofs import PROOFS, Proof
from tests.drill.alarm_site import AlarmSite, open_site
from tests.drill.alarm_traffic import read, run_canary, write
from tests.drill.instances import report
from tests.drill.server_faults import killed_primary
from tests.memory import folder_in_memory

OUTAGE_MINUTE_SECONDS = 8.0
QUIET_MINUTE_SECONDS = 0.25
# A run takes longer than such a minute. The alarm on missing runs looks at 5 minutes at a time.
CANARY_MINUTES = 4
# How often ProofInstanceFunction reports how long ago a backup was proven.
PROOF_AGE_MINUTES = 360
# Until the canary runs as often as on a stack that is up.
STARTING_MINUTES = 40
ROWS: list[tuple[str, Proof, float, float]] = []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlarmSite]:
    folder = tmp_path_factory.mktemp("alarms")
    with folder_in_memory() as memory_folder:
        try:
            with open_site(folder, memory_folder, PROOFS[0].minute) as opened:
                assert opened.airports
                yield opened
        finally:
            down(folder)
    print_table()


def print_table() -> None:
    print("\n| alarm | fault | a minute lasts (s) | fires after (s) | is OK after (s) |\n|---|---|---|---|---|")
    for alarm, proof, fired, cleared in ROWS:
        print(f"| `{alarm}` | {proof.fault} | {proof.minute:g} | {fired:.1f} | {cleared:.1f} |")


# The quiet times come first: with other minutes, the windows of the alarms would contain the faults of the proofs.
@pytest.mark.timeout(900)
def test_no_alarm_fires_in_an_outage_of_a_minute(site: AlarmSite) -> None:
    """As in the demo: the primary is killed and restarted, and clients write and read meanwhile.

    The canary does not run, as in the demo, so the alarm on its absence is left out.
    """
    site.set_minute(OUTAGE_MINUTE_SECONDS)
    alarms = [name for name in site.descriptions if name in site.ids and name != "CanaryMissingAlarm"]
    names = {site.ids[name] for name in alarms}
    site.wait_for("OK", alarms, 120)
    began = time.time()
    with killed_primary(site) as act:
        while time.time() < began + OUTAGE_MINUTE_SECONDS:
            act()
            read(site)
    while time.time() < began + 8 * OUTAGE_MINUTE_SECONDS:
        write(site)
        read(site)
    assert [change for change in site.read_history(began) if change[1] == "ALARM" and change[0] in names] == []


@pytest.mark.timeout(900)
def test_no_alarm_fires_in_a_quiet_day(site: AlarmSite) -> None:
    """1,440 minutes of the alarms with a write and a read in each, and in one hour as much as four clients can do."""

    def report_and_run_canary() -> None:
        report(site)
        report_proof_age(site)
        run_canary(site)

    site.set_minute(QUIET_MINUTE_SECONDS)
    alarms = [*(name for name in site.descriptions if name in site.ids), *site.added]
    site.wait_for("OK", alarms, 120, report_and_run_canary)
    began, requests = time.time() + STARTING_MINUTES * QUIET_MINUTE_SECONDS, 0
    with ThreadPoolExecutor(8) as clients, ThreadPoolExecutor(4) as canaries:
        for minute in range(-STARTING_MINUTES, 1440):
            if minute % CANARY_MINUTES == 0:
                canaries.submit(run_canary, site)
            if minute % PROOF_AGE_MINUTES == 0:
                report_proof_age(site)
            number = 4 if 600 <= minute < 660 else 1
            results = [clients.submit(act, site) for act in (write, read) for _ in range(number)]
            report(site)
            requests += len([result.result() for result in results])
            time.sleep(max(0.0, began + (minute + 1) * QUIET_MINUTE_SECONDS - time.time()))
    passed = time.time() - began
    history = site.read_history(began)
    print(f"\na quiet day of 1,440 minutes in {passed:.0f} s: {requests:,} requests, {len(history)} changes of state")
    assert [change for change in history if change[1] == "ALARM"] == []
    assert set(site.read_states(alarms).values()) == {"OK"}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: str(proof.fault).replace(" ", "-"))
def test_a_fault_makes_its_alarms_fire_and_its_end_clears_them(site: AlarmSite, proof: Proof) -> None:
    site.set_minute(proof.minute)
    traffic = partial(proof.traffic, site) if proof.traffic else None
    if traffic:
        traffic()
    site.wait_for("OK", proof.alarms, proof.limit_seconds, traffic)
    with proof.cause(site) as act:
        fired = site.wait_for("ALARM", proof.alarms, proof.limit_seconds, act)
    cleared = site.wait_for("OK", proof.alarms, proof.limit_seconds, traffic)
    ROWS.extend((alarm, proof, fired[alarm], cleared[alarm]) for alarm in proof.alarms)
