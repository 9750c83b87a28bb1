"""The vector of an item that arrives while a release is served."""

import json
from collections.abc import Iterator, Sequence

import numpy as np

from service.domain.arrays import Vector
from service.domain.items import NewItem
from service.errors import TowerUnavailable
from service.towers.features import Inputs
from service.towers.item_features import (
    AS_OF_DAYS,
    ItemColumns,
    ItemVocabulary,
    as_of_features,
    item_numbers,
)
from service.towers.onnx import OnnxTower, checked

VOCABULARY = "vocabulary"
"""Key of the item tower's metadata: labels and price borders that make its input numbers."""


class ArrivalVectors:
    """Takes the vector that came with an item if it fits, else asks the item tower.

    Tags and years are not told of arrivals, and nobody has done anything with them yet: the tower
    sees the as-of features of an item that was never seen, as it has in training.
    """

    def __init__(self, embedding_version: str, dim: int, tower: OnnxTower | None) -> None:
        """Without a tower, or one that does not carry its vocabulary, only given vectors count."""
        self._embedding_version, self._dim = embedding_version, dim
        self._tower = tower
        self._vocabulary = None if tower is None else _vocabulary(tower)

    def __call__(self, items: Sequence[NewItem]) -> list[Vector | None]:
        """One vector each, float32 [dim], unit length; None when there is none for this release."""
        vectors = [self._given(item) for item in items]
        places = [place for place, vector in enumerate(vectors) if vector is None]
        for place, vector in zip(places, self._embedded([items[p] for p in places]), strict=True):
            vectors[place] = vector
        return vectors

    def _given(self, item: NewItem) -> Vector | None:
        if item.embedding_version != self._embedding_version or len(item.vector) != self._dim:
            return None
        vector = np.array(item.vector, dtype=np.float64)
        largest = np.abs(vector).max()
        if not 0.0 < largest < np.inf:  # NaN is neither
            return None
        vector /= largest
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    def _embedded(self, items: Sequence[NewItem]) -> Iterator[Vector | None]:
        if self._tower is None or self._vocabulary is None or not items:
            yield from [None] * len(items)
            return
        try:
            found = self._tower.run(_inputs(self._vocabulary, items))
        except TowerUnavailable:
            yield from [None] * len(items)
            return
        for vector in found:
            yield _usable(vector)


def _vocabulary(tower: OnnxTower) -> ItemVocabulary | None:
    try:
        return ItemVocabulary.from_json(json.loads(tower.properties.get(VOCABULARY, "")))
    except (ValueError, TypeError, AttributeError):
        return None


def _usable(vector: Vector) -> Vector | None:
    try:
        return checked(vector)
    except TowerUnavailable:
        return None


def _inputs(vocabulary: ItemVocabulary, items: Sequence[NewItem]) -> Inputs:
    n = len(items)
    columns = ItemColumns(
        titles=[item.title for item in items],
        categories=[item.category for item in items],
        sellers=[item.seller for item in items],
        tags=[()] * n,
        years=[0] * n,
        prices=[np.nan if item.price is None else item.price for item in items],
    )
    numbers = item_numbers(vocabulary, columns)
    width = int(np.diff(numbers.title.starts).max(initial=1))
    title_ids, title_weights = numbers.title.padded(width)
    tag_ids, tag_weights = numbers.tags.padded(1)
    never_seen = as_of_features(np.zeros((len(AS_OF_DAYS) + 1, n)), np.full(n, np.nan))
    return {
        "title_ids": title_ids,
        "title_weights": title_weights,
        "tag_ids": tag_ids,
        "tag_weights": tag_weights,
        "category": numbers.category,
        "price": numbers.price,
        "seller": numbers.seller,
        "year": numbers.year,
        "as_of": never_seen,
    }
