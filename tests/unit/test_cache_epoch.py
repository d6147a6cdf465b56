"""Which replica's epoch the read cache takes: that of the latest moment."""

import datetime
from typing import Any

from sluice.cache.reader import EPOCH_TRUST_SECONDS, CacheReader
from sluice.model.item_state import ItemAddress, ItemState
from sluice.model.resource import load_resources

EARLIER, LATER = "2026-11-29T17:00:03.000001", "2026-11-29T17:00:03.000002"
OLD, NEW = "a" * 16 + "0000000007", "b" * 16 + "0000000000"
AIRPORT = ItemAddress(load_resources()["airports"], "", "KJFK")
STATE = ItemState("01M83TX6AKPEC90XWTBJRZ90MF", datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC), b"{}")


class Client:
    """Records the keys of entries that are stored."""

    def __init__(self) -> None:
        self.stored: list[str] = []

    def send_commands(self, *commands: Any) -> list[Any]:
        [command] = commands
        if command[0] == "EVAL":
            self.stored.append(command[4])
            return [1]
        return [[None, None]]


def create_reader() -> tuple[CacheReader, Client]:
    client: Any = Client()
    return CacheReader(client, 600, lambda: 100.0), client


def test_an_earlier_moment_never_brings_its_epoch_back() -> None:
    reader, client = create_reader()
    reader.store_item(AIRPORT, STATE, NEW, 100.0, LATER)
    reader.store_item(AIRPORT, STATE, OLD, 100.0, EARLIER)
    assert (reader.moment, reader._epoch) == (LATER, ("b" * 16, "0000000000"))
    assert [key[0] for key in client.stored] == ["b"]


def test_a_replica_without_an_epoch_that_lags_does_not_turn_the_cache_off() -> None:
    reader, _ = create_reader()
    reader.store_item(AIRPORT, STATE, NEW, 100.0, LATER)
    reader.store_item(AIRPORT, STATE, None, 100.0, EARLIER)
    assert reader._epoch
    reader.store_item(AIRPORT, STATE, None, 100.0, LATER)
    assert reader._epoch is None


def test_a_replica_that_lags_stores_within_the_same_epoch_and_does_not_prolong_it() -> None:
    reader, client = create_reader()
    reader.store_item(AIRPORT, STATE, OLD, 100.0, LATER)
    reader.store_item(AIRPORT, STATE, OLD[:-1] + "3", 100.5, EARLIER)
    assert len(client.stored) == 2
    assert reader._epoch_expires_at == 100.0 + EPOCH_TRUST_SECONDS
