"""A receipt says what became of its write, and to nobody else anything."""

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


def receipt(reader: ReadRig, write: Write, owner: str = OWNER) -> dict[str, str]:
    answer = reader.get(f"{write.collection}/{write.id}/writes/{write.version}", owner=owner)
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert ("Retry-After" in answer.headers) == (answer.body["status"] == "pending")
    assert (answer.body.pop("id"), answer.body.pop("version")) == (write.id, write.version)
    return dict(answer.body)


def test_a_write_is_pending_until_it_is_applied(rig: Rig, reader: ReadRig) -> None:
    write = put({"label": "first"})
    assert receipt(reader, write) == {"status": "pending"}
    rig.load(write)
    assert receipt(reader, write) == {"status": "applied"}


def test_a_later_write_to_the_item_is_pending_beside_an_applied_one(rig: Rig, reader: ReadRig) -> None:
    first = put({"label": "first"})
    rig.load(first)
    second = put({"label": "second"}, first.id)
    assert (receipt(reader, first), receipt(reader, second)) == ({"status": "applied"}, {"status": "pending"})


def test_a_delete_has_a_receipt_like_any_write(rig: Rig, reader: ReadRig) -> None:
    write = delete(put({"label": "never"}).id)
    rig.load(write)
    assert receipt(reader, write) == {"status": "applied"}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_in_any_order_the_latest_is_applied_and_the_others_superseded_by_it(
    rig: Rig, reader: ReadRig, order: tuple[int, ...]
) -> None:
    first = put({"label": "first"})
    writes = (first, delete(first.id), put({"label": "third"}, first.id))
    for place in order:
        rig.load(writes[place])
    superseded = {"status": "superseded", "superseded_by": writes[2].version}
    assert [receipt(reader, write) for write in writes] == [superseded, superseded, {"status": "applied"}]


def test_a_rejected_write_says_why_without_data(rig: Rig, reader: ReadRig) -> None:
    narrow(rig)
    write = put({"label": SECRET, "note": "longer"})
    later = put({"label": "fits"}, write.id)
    assert rig.load(write).rejected == 1
    rejected = {"status": "rejected", "reason": "note: Data too long"}
    assert receipt(reader, write) == rejected
    rig.load(later)
    assert (receipt(reader, write), receipt(reader, later)) == (rejected, {"status": "applied"})


def test_a_reason_that_quotes_a_value_is_shown_without_it(rig: Rig, reader: ReadRig) -> None:
    write = put({"code": "A", "text": "longer"}, "A", resource=CODES)
    rig.rows("ALTER TABLE codes MODIFY text INT")
    assert rig.load(write).rejected == 1
    [kept] = rig.rows("SELECT reason FROM rejected_writes")
    assert "longer" in kept["reason"]
    shown = receipt(reader, write, OTHER)
    assert (shown["status"], "longer" in json.dumps(shown)) == ("rejected", False)
    assert shown["reason"].startswith("text: ")


def test_a_reject_that_was_loaded_after_all_is_applied(rig: Rig, reader: ReadRig) -> None:
    narrow(rig)
    write = put({"label": SECRET, "note": "longer"})
    rig.load(write)
    widen(rig)
    rig.load(write)
    assert len(rig.rows("SELECT 1 FROM rejected_writes")) == 1
    assert receipt(reader, write) == {"status": "applied"}


def test_what_a_rebuild_left_out_is_rejected(rig: Rig, reader: ReadRig) -> None:
    out, kept, behind = put({"label": "out"}), put({"label": "kept"}), put({"label": "behind"})
    made = datetime.datetime.now(datetime.UTC)
    rule = ExclusionRule(
        owners=(OWNER,), versions=(out.version, behind.version), to=made + datetime.timedelta(seconds=1)
    )
    left_out = Exclusion(execution="one", rules=(rule,), reason=SECRET, made_at=made)
    rules = msgspec.json.encode(left_out.rules).decode()
    rig.rows("INSERT INTO exclusions (execution, rules, reason, made_at) VALUES ('one', %s, %s, NOW())", rules, SECRET)
    rig.connection.commit()
    rig.rows("INSERT INTO marks (name, version) VALUES ('exclusions', %s)", compute_end_version([left_out]))
    rig.connection.commit()
    rig.load(out, kept, behind, put({"label": "later"}, behind.id))
    assert receipt(reader, out) == {"status": "rejected", "reason": EXCLUDED_REASON}
    assert receipt(reader, out, OTHER) == {"status": "pending"}
    assert receipt(reader, kept) == {"status": "applied"}
    assert receipt(reader, behind)["status"] == "superseded"
    assert receipt(reader, put({"label": "new"})) == {"status": "pending"}


def test_to_another_owner_every_receipt_is_that_of_a_write_that_never_was(rig: Rig, reader: ReadRig) -> None:
    applied = put({"label": SECRET})
    superseded = put({"label": SECRET})
    rejected = put({"label": SECRET, "note": "longer"})
    narrow(rig)
    rig.load(applied, superseded, put({"label": SECRET}, superseded.id), rejected)
    mine = [receipt(reader, write)["status"] for write in (applied, superseded, rejected)]
    assert mine == ["applied", "superseded", "rejected"]
    never = put({"label": "never"})
    for write in (applied, superseded, rejected, never):
        assert receipt(reader, write, OTHER) == {"status": "pending"}


def test_two_owners_of_one_id_learn_of_their_own_writes_only(rig: Rig, reader: ReadRig) -> None:
    mine = put({"label": "mine"})
    theirs = put({"label": "theirs"}, mine.id, OTHER)
    rig.load(mine, theirs)
    assert (receipt(reader, mine), receipt(reader, theirs, OTHER)) == ({"status": "applied"},) * 2
    # Seen from my item, that version is of a write that has yet to come; from theirs, mine is an older one.
    assert receipt(reader, theirs) == {"status": "pending"}
    assert receipt(reader, mine, OTHER) == {"status": "superseded", "superseded_by": theirs.version}


def test_a_reject_is_of_one_item_of_one_collection(rig: Rig, reader: ReadRig) -> None:
    narrow(rig)
    write = put({"label": SECRET, "note": "longer"})
    rig.load(write)
    for path in (f"things/{put({'label': 'x'}).id}", f"codes/{write.id}"):
        assert reader.get(f"{path}/writes/{write.version}").body["status"] == "pending"
    rig.rows("UPDATE rejected_writes SET collection = 'elsewhere'")
    rig.connection.commit()
    assert receipt(reader, write) == {"status": "pending"}


def test_versions_at_both_ends_of_time_are_answered(reader: ReadRig) -> None:
    item_id = put({"label": "x"}).id
    for version in ("0" * 26, "7" + "Z" * 25, new_version()):
        answer = reader.get(f"things/{item_id}/writes/{version}")
        assert (answer.status, answer.body["status"]) == (200, "pending")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


def test_two_rows_are_looked_at_however_many_there_are(rig: Rig, reader: ReadRig) -> None:
    narrow(rig)
    writes = [put({"label": SECRET, "note": "longer" if number % 2 else None}) for number in range(200)]
    rig.load(*writes)
    read = "SHOW SESSION STATUS LIKE 'Handler_read%'"
    session = reader.replica.get_connection()

    def looked_at() -> int:
        with session.cursor() as cursor:
            cursor.execute(read)
            return sum(int(value) for _, value in cursor.fetchall())

    receipt(reader, writes[0])
    before = looked_at()
    receipt(reader, writes[1])
    assert looked_at() - before <= 6
