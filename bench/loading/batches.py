"""Batches of bookings: 14 columns, about 500 bytes a write, 5% deletes, 5% writes to an item that the batch repeats."""

import gzip
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import msgspec
from ulid import ULID

from sluice.model.record import NULL_DATA, Write

TABLE_CREATED_MS = 1_700_000_000_000  # when the rows of the table were written, in milliseconds since 1970
OWNERS = [f"{uuid.UUID(int=random.Random(n).getrandbits(128), version=4)}" for n in range(1000)]
GZIP_LEVEL = 6  # the default of zlib

ItemKey = tuple[str, str]  # owner and id


@dataclass(frozen=True)
class WriteBatch:
    """Writes in the order of their acceptance."""

    writes: Sequence[Write]

    @property
    def text(self) -> bytes:
        return msgspec.json.Encoder().encode_lines(self.writes)

    @property
    def content(self) -> bytes:
        """The bytes of the batch as an object of S3."""
        return gzip.compress(self.text, GZIP_LEVEL, mtime=0)


class WriteGenerator:
    """Generates writes from a seed, so that every run measures the same ones."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._item_count = 0
        # Contents by departure. A write to an item keeps its departure: most fields of an item do not change.
        self._contents = [[self._build_data(departure) for _ in range(20)] for departure in range(1000)]

    def generate_items(self, count: int) -> list[ItemKey]:
        """New items with increasing ids, each of a random owner."""
        self._item_count += count
        first = (TABLE_CREATED_MS + self._item_count) << 80
        return [
            (self._chance.choice(OWNERS), str(ULID.from_int(first + n).to_uuid7(compliant=True))) for n in range(count)
        ]

    def generate_batch(
        self, items: Sequence[ItemKey], size: int, first_ms: int, *, with_repeats: bool = True
    ) -> WriteBatch:
        """`size` writes to the items in their order, 10 microseconds apart, the first at `first_ms` (since 1970).

        With repeats, a twentieth of the writes go to items of earlier writes.
        """
        first_writes = size - (size // 20 if with_repeats else 0)
        targets: list[tuple[float, ItemKey]] = list(enumerate(items[:first_writes]))
        positions = self._chance.choices(range(first_writes), k=size - first_writes)
        targets += [(self._chance.uniform(position, first_writes), items[position]) for position in positions]
        targets.sort(key=itemgetter(0))
        start, step = first_ms << 80, (1 << 80) // 100
        return WriteBatch([self._build_write(target, start + n * step) for n, (_, target) in enumerate(targets)])

    def _build_write(self, item: ItemKey, version_number: int) -> Write:
        version = ULID.from_int(version_number)
        is_delete = self._chance.random() < 0.05
        return Write(
            version=str(version),
            collection="bookings",
            id=item[1],
            operation="delete" if is_delete else "put",
            owner=item[0],
            accepted_at=version.datetime,
            schema=1,
            data=NULL_DATA if is_delete else self._chance.choice(self._contents[int(item[1][-4:], 16) % 1000]),
        )

    def _build_data(self, departure: int) -> msgspec.Raw:
        chance = self._chance
        number = chance.getrandbits(32)
        data = {
            "passenger": f"Passenger {number:x} Łukasiewicz",
            "departs_at": f"2027-0{1 + departure % 9}-{10 + departure % 18}T{10 + departure % 13}:30:00Z",
            "seats": 1 + number % 9,
            "price": f"{number % 100_000}.{number % 90 + 10}",
            "cabin": ("economy", "premium", "business", "first")[number % 4],
            "airports": ["EDDF", "LPPT", "KJFK"][: 2 + number % 2],
            "notes": f"Window seat, vegetarian; reference {chance.getrandbits(128):x}."
            + " Extra legroom." * (number % 4),
        }
        if number % 3:
            data["born_on"] = f"19{10 + number % 90}-0{1 + number % 9}-2{number % 9}"
        if number % 2:
            data["voucher"] = f"SUMMER-{number:x}"
        return msgspec.Raw(msgspec.json.encode(data))
