"""The dated price table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.errors import UsageError

PRICES_PATH = Path(__file__).with_name("prices.json")


@dataclass(frozen=True)
class PriceTable:
    """On-demand prices of one Region without free tiers, in US dollars. `overrides` replaces prices of the table."""

    region: str
    date: str
    entries: dict[str, dict[str, Any]]
    overrides: Mapping[str, float]

    def get(self, name: str) -> float:
        """The price of one unit. Raises UsageError when the table has no such price."""
        if name in self.overrides:
            return self.overrides[name]
        if name not in self.entries:
            raise UsageError(
                f"The price table of {self.date} has no price of {name}.",
                f'Give it: --price "{name}=DOLLARS", for an hour of an instance or node.',
            )
        return float(self.entries[name]["price"])

    def list_unchecked(self) -> list[str]:
        """The names whose price was not compared with a source."""
        return [name for name, entry in self.entries.items() if not entry["checked"] and name not in self.overrides]


def read_prices(overrides: Mapping[str, float]) -> PriceTable:
    """Read the price table."""
    table = json.loads(PRICES_PATH.read_text())
    return PriceTable(table["region"], table["date"], table["prices"], overrides)
