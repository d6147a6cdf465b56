"""Lines are packed into records: in order, each once, as many as fit."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.ingest.firehose import MAX_PACKED_RECORD_BYTES, join_lines, plan_records

BILLED = 5 * 1024


@given(st.lists(st.integers(1, 40).map(lambda size: b"x" * (size - 1) + b"\n")), st.integers(1, 60))
def test_every_line_is_in_one_pack_and_packs_are_as_full_as_can_be(lines: list[bytes], largest: int) -> None:
    planned_records = plan_records(lines, largest)
    assert [at for pack in planned_records for at in pack] == list(range(len(lines)))
    assert b"".join(join_lines(lines, pack) for pack in planned_records) == b"".join(lines)
    assert all(planned_records), "a record is not empty"
    for pack in planned_records:
        assert len(pack) == 1 or len(join_lines(lines, pack)) <= largest
    for positions, following in itertools.pairwise(planned_records):
        assert len(join_lines(lines, positions)) + len(lines[following[0]]) > largest


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [
        ([], []),
        ([MAX_PACKED_RECORD_BYTES], [1]),
        ([MAX_PACKED_RECORD_BYTES, 1], [1, 1]),
        ([MAX_PACKED_RECORD_BYTES - 1, 1, 1], [2, 1]),
        ([1, 1_024_000, 1], [1, 1, 1]),
        ([400] * 1000, [256, 256, 256, 232]),
    ],
)
def test_a_pack_ends_at_its_limit(lengths: list[int], sizes: list[int]) -> None:
    assert [len(pack) for pack in plan_records([bytes(length) for length in lengths])] == sizes


def test_a_full_pack_is_billed_for_its_lines() -> None:
    """Its limit is a multiple of what is billed, so that it ends less than a line before it."""
    assert MAX_PACKED_RECORD_BYTES % BILLED == 0
    lines = [bytes(437)] * 10_000
    records = [join_lines(lines, pack) for pack in plan_records(lines)]
    billed = sum(-(-len(record) // BILLED) * BILLED for record in records)
    assert billed < sum(map(len, lines)) * 1.005
