"""What training knew of the data, kept with the weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from models.interactions import Log
from models.networks.item_features import prices_before, seen_before, vocabulary
from service.domain.actions import ACTIONS
from service.towers.item_features import ItemVocabulary


@dataclass(frozen=True, slots=True)
class Known:
    """Labels, items, prices and action types of the training log.

    Attributes:
        until_s: no event of this time or later was used.
        vocabulary: labels and price borders.
        item_ids: items with an event before `until_s`, in the order of the id table.
        prices: median unit price of each of them before `until_s`, NaN unknown.
        actions: action types that the log showed.
    """

    until_s: int
    vocabulary: ItemVocabulary
    item_ids: tuple[str, ...]
    prices: tuple[float, ...]
    actions: tuple[str, ...]

    @classmethod
    def of(cls, log: Log, until_s: int) -> Self:
        """Collect it from the events before a time."""
        prices = prices_before(log, until_s)
        rows = np.flatnonzero(seen_before(log, until_s)).tolist()
        codes = np.unique(log.action[log.at_s < until_s])
        return cls(
            until_s,
            vocabulary(log, prices),
            tuple(log.items.ids[row] for row in rows),
            tuple(float(prices[row]) for row in rows),
            tuple(ACTIONS[code] for code in codes),
        )

    def to_json(self) -> dict[str, object]:
        """Return plain values by name."""
        return {
            "until_s": self.until_s,
            "vocabulary": self.vocabulary.to_json(),
            "item_ids": self.item_ids,
            "prices": [None if np.isnan(price) else price for price in self.prices],
            "actions": self.actions,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Rebuild from `to_json`; raises KeyError, TypeError or ValueError where it is not that."""
        return cls(
            int(document["until_s"]),
            ItemVocabulary.from_json(document["vocabulary"]),
            tuple(document["item_ids"]),
            tuple(np.nan if price is None else float(price) for price in document["prices"]),
            tuple(document["actions"]),
        )
