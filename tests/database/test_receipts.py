"""A receipt shows the state of its write, and only to its owner."""

import datetime
import json
from itertools import permutations

import msgspec
import pytest

from sluice.model.exclusions import Exclusion, ExclusionRule, compute_end_version
from sluice.model.record import Write
from sluice.model.versions import new_version
from sluice.query.receipt import EXCLUDED_REASON
from tests.database.reading_rig import ReadRig
from tests.database.rig import Rig
from tests.database.test_rejected_writes import narrow, widen
from tests.database.things import CODES, OWNER, delete, put

OTHER = "another-owner"
SECRET = "it's Zoë's secret"


def get_receipt(reader: ReadRig, write: Write, owner: str = OWNER) -> dict[str, str]:
    answer = reader.get(f"{write.collection}/{write.id}/writes/{write.version}", owner=owner)
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert ("Retry-After" in answer.headers) == (answer.body["status"] == "pending")
    assert (answer.body.pop("id"), answer.body.pop("version")) == (write.id, write.version)
    return dict(answer.body)


def test_a_write_is_pending_until_it_is_applied(rig: Rig, reader: ReadRig) -> None:
    write = put({"label": "first"})
    assert get_receipt(reader, write) == {"status": "pending"}
    rig.load(write)
    assert get_receipt(reader, write) == {"status": "applied"}


def test_a_later_write_to_an_item_is_pending_next_to_an_applied_one(rig: Rig, reader: ReadRig) -> None:
    first = put({"label": "first"})
    rig.load(first)
    second = put({"label": "second"}, first.id)
    assert (get_receipt(reader, first), get_receipt(reader, second)) == ({"status": "applied"}, {"status": "pending"})


def test_a_delete_has_a_receipt_like_any_write(rig: Rig, reader: ReadRig) -> None:
    write = delete(put({"label": "never"}).id)
    rig.load(write)
    assert get_receipt(reader, write) == {"status": "applied"}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_in_any_order_the_latest_is_applied_and_the_others_superseded_by_it(
    rig: Rig, reader: ReadRig, order: tuple[int, ...]
) -> None:
    first = put({"label": "first"})
    writes = (first, delete(first.id), put({"label": "third"}, first.id))
    for place in order:
        rig.load(writes[place])
    superseded = {"status": "superseded", "superseded_by": writes[2].version}
    assert [get_receipt(reader, write) for write in writes] == [superseded, superseded, {"status": "applied"}]


def test_a_rejected_write_says_why_without_data(rig: Rig, reader: ReadRig) -> None:
    narrow(rig)
    write = put({"label": SECRET, "note": "longer"})
    later = put({"label": "fits"}, write.id)
    assert rig.load(write).rejected == 1
    rejected = {"status": "rejected", "reason": "note: Data too long"}
    assert get_receipt(reader, write) == rejected
    rig.load(later)
    assert (get_receipt(reader, write), get_receipt(reader, later)) == (rejected, {"status": "applied"})


def test_a_reason_that_quotes_a_value_is_shown_without_it(rig: Rig, reader: ReadRig) -> None:
    write = put({"code": "A", "text": "longer"}, "A", resource=CODES)
    rig.rows("ALTER TABLE codes MODIFY text INT")
    assert rig.load(write).rejected == 1
    [row] = rig.rows("SELECT reason FROM rejected_writes")
    assert "longer" in row["reason"]
    receipt = get_receipt(reader, write, OTHER)
    assert (receipt["status"], "longer" in json.dumps(receipt)) == ("rejected", False)
    assert receipt["reason"].startswith("text: ")


def test_a_rejected_write_that_was_loaded_later_is_applied(rig: Rig, reader: ReadRig) -> None:
    narrow(rig)
    write = put({"label": SECRET, "note": "longer"})
    rig.load(write)
    widen(rig)
    rig.load(write)
    assert len(rig.rows("SELECT 1 FROM rejected_writes")) == 1
    assert get_receipt(reader, write) == {"status": "applied"}


def test_a_write_that_a_rebuild_excluded_is_rejected(rig: Rig, reader: ReadRig) -> None:
    excluded, applied, superseded = put({"label": "out"}), put({"label": "in"}), put({"label": "earlier"})
    now = datetime.datetime.now(datetime.UTC)
    rule = ExclusionRule(
        owners=(OWNER,), versions=(excluded.version, superseded.version), to=now + datetime.timedelta(seconds=1)
    )
    exclusion = Exclusion(execution="one", rules=(rule,), reason=SECRET, made_at=now)
    rules = msgspec.json.encode(exclusion.rules).decode()
    rig.rows("INSERT INTO exclusions (execution, rules, reason, made_at) VALUES ('one', %s, %s, NOW())", rules, SECRET)
    rig.connection.commit()
    rig.rows("INSERT INTO marks (name, version) VALUES ('exclusions', %s)", compute_end_version([exclusion]))
    rig.connection.commit()
    rig.load(excluded, applied, superseded, put({"label": "later"}, superseded.id))
    assert get_receipt(reader, excluded) == {"status": "rejected", "reason": EXCLUDED_REASON}
    assert get_receipt(reader, excluded, OTHER) == {"status": "pending"}
    assert get_receipt(reader, applied) == {"status": "applied"}
    assert get_receipt(reader, superseded)["status"] == "superseded"
    assert get_receipt(reader, put({"label": "new"})) == {"status": "pending"}


def test_another_owner_gets_the_receipt_of_a_write_that_does_not_exist(rig: Rig, reader: ReadRig) -> None:
    applied = put({"label": SECRET})
    superseded = put({"label": SECRET})
    rejected = put({"label": SECRET, "note": "longer"})
    narrow(rig)
    rig.load(applied, superseded, put({"label": SECRET}, superseded.id), rejected)
    mine = [get_receipt(reader, write)["status"] for write in (applied, superseded, rejected)]
    assert mine == ["applied", "superseded", "rejected"]
    never = put({"label": "never"})
    for write in (applied, superseded, rejected, never):
        assert get_receipt(reader, write, OTHER) == {"status": "pending"}


def test_two_owners_of_one_id_see_only_their_own_writes(rig: Rig, reader: ReadRig) -> None:
    mine = put({"label": "mine"})
    theirs = put({"label": "theirs"}, mine.id, OTHER)
    rig.load(mine, theirs)
    assert (get_receipt(reader, mine), get_receipt(reader, theirs, OTHER)) == ({"status": "applied"},) * 2
    # For my item, their version looks like a write that has not arrived; for theirs, mine is an earlier one.
    assert get_receipt(reader, theirs) == {"status": "pending"}
    assert get_receipt(reader, mine, OTHER) == {"status": "superseded", "superseded_by": theirs.version}


def test_a_rejected_write_belongs_to_one_item_of_one_collection(rig: Rig, reader: ReadRig) -> None:
    narrow(rig)
    write = put({"label": SECRET, "note": "longer"})
    rig.load(write)
    for path in (f"things/{put({'label': 'x'}).id}", f"codes/{write.id}"):
        assert reader.get(f"{path}/writes/{write.version}").body["status"] == "pending"
    rig.rows("UPDATE rejected_writes SET collection = 'elsewhere'")
    rig.connection.commit()
    assert get_receipt(reader, write) == {"status": "pending"}


def test_the_lowest_and_the_greatest_version_have_receipts(reader: ReadRig) -> None:
    item_id = put({"label": "x"}).id
    for version in ("0" * 26, "7" + "Z" * 25, new_version()):
        answer = reader.get(f"things/{item_id}/writes/{version}")
        assert (answer.status, answer.body["status"]) == (200, "pending")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_a_receipt_reads_two_rows_however_many_there_are(rig: Rig, reader: ReadRig) -> None:
    narrow(rig)
    writes = [put({"label": SECRET, "note": "longer" if number % 2 else None}) for number in range(200)]
    rig.load(*writes)
    status = "SHOW SESSION STATUS LIKE 'Handler_read%'"
    session = reader.replica.get_connection()

    def count_rows_read() -> int:
        with session.cursor() as cursor:
            cursor.execute(status)
            return sum(int(value) for _, value in cursor.fetchall())

    get_receipt(reader, writes[0])
    before = count_rows_read()
    get_receipt(reader, writes[1])
    assert count_rows_read() - before <= 6
