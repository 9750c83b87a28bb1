"""What release, refresh and publish share: from towers and a log to a draft of a release."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from models.build_index import RECALL_FLOOR
from models.building.assemble import Content, Facts, States, assemble
from models.building.contents import data_facts, draw_states, item_columns
from models.building.draft import Draft
from models.building.ladder import make_ladder, recent_popularity
from models.building.store import current_folder
from models.building.untrained import untrained_towers
from models.export import Exported
from models.interactions import Log, positive
from models.recipes import Dataset
from models.towers import TrainedTowers
from service.domain.arrays import Vectors
from service.errors import ReleaseRefused, SetupInvalid
from service.ports.serving import Release
from service.releases.loader import load_release
from service.releases.manifest import Again

WORK = Path("var/models")
"""Where trained weights are kept for the next refresh."""

REPEAT_SHARE = 0.05
"""Where so many positive events are on items of an earlier order, coming back makes sense."""

AGAIN_WEIGHT = 0.5
"""Of the own items where there is nothing to measure it on."""


@dataclass(frozen=True, slots=True)
class Made:
    """Towers ready to be released, with the vectors of the catalogue in the log's order.

    Attributes:
        trained: None for towers made from content alone.
    """

    user_tower: bytes
    item_tower: bytes
    vectors: Vectors
    version: str
    history_length: int
    trained_through_s: float
    trained: TrainedTowers | None = None

    def states(self, log: Log) -> States:
        """Real states, with what the original tower says to them."""
        states = draw_states(log)
        if self.trained is None:
            return states
        expected = self.trained.user_vectors(states.histories, states.now_s, self.vectors)
        return replace(states, expected=expected)


def from_training(trained: TrainedTowers, exported: Exported, as_of_s: int) -> Made:
    """Towers with learned weights, vectors with the counts of an instant."""
    return Made(
        user_tower=exported.user_tower,
        item_tower=exported.item_tower,
        vectors=trained.item_vectors(as_of_s),
        version=exported.version,
        history_length=trained.recipe.history_length,
        trained_through_s=trained.known.until_s,
        trained=trained,
    )


def from_content(log: Log, dim: int, history_length: int, as_of_s: int) -> Made:
    """Towers without learned weights, for data too few to train on."""
    popularity = recent_popularity(log, as_of_s)
    towers = untrained_towers(log, dim, history_length, popularity)
    return Made(
        user_tower=towers.user_tower,
        item_tower=towers.item_tower,
        vectors=towers.vectors,
        version=towers.version,
        history_length=history_length,
        trained_through_s=as_of_s,
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a release is to be called and to say of itself."""

    name: str
    again: Again
    metrics: Mapping[str, object] = field(default_factory=dict)
    parent: str | None = None
    recall_floor: float = RECALL_FLOOR


def make_draft(
    log: Log, dataset: Dataset, made: Made, wanted: Wanted, old: Release | None
) -> Draft:
    """Join towers, catalogue and lists, all as of the end of the log.

    Raises:
        PublishInvalid: the index misses its recall floor.
        ReleaseRefused: a tower that the service would not take.
    """
    as_of_s = end_of(log)
    facts = Facts(
        release=wanted.name,
        embedding_version=made.version,
        trained_through_s=made.trained_through_s,
        as_of_s=as_of_s,
        created_at_s=time.time(),
        history_length=made.history_length,
        again=wanted.again,
        parent=wanted.parent,
        data=data_facts(log, dataset) | {"is_trained": made.trained is not None},
        metrics=wanted.metrics,
        recall_floor=wanted.recall_floor,
    )
    content = Content(
        items=item_columns(log, as_of_s),
        vectors=made.vectors,
        user_tower=made.user_tower,
        item_tower=made.item_tower,
        ladder=make_ladder(log, as_of_s),
        states=made.states(log),
    )
    return assemble(content, facts, old)


def end_of(log: Log) -> int:
    """The first whole second after the last event, epoch seconds."""
    return int(log.at_s[-1]) + 1


def has_repeats(log: Log) -> bool:
    """Whether people come back to the same items in later orders."""
    good = positive(log)
    pairs = log.user[good].astype(np.int64) * log.items.n + log.item[good]
    orders = log.order[good]
    by_pair = np.lexsort((orders, pairs))
    pairs, orders = pairs[by_pair], orders[by_pair]
    again = (pairs[1:] == pairs[:-1]) & (orders[1:] != orders[:-1])
    return bool(again.sum() >= REPEAT_SHARE * len(pairs))


def live_release(store: str) -> Release | None:
    """The current release of a store, None where there is none that can be loaded."""
    try:
        return load_release(current_folder(store))
    except (SetupInvalid, ReleaseRefused):
        return None
