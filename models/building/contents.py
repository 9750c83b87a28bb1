"""What a release holds besides its towers: item columns, lists, and the states to prove it with."""

import numpy as np
import pyarrow as pa

from models.building.assemble import States
from models.building.draft import ItemColumns
from models.building.ladder import recent_popularity
from models.interactions import Log
from models.networks.item_features import seen_before
from models.reading.item_table import Items
from models.recipes import Dataset
from service.domain.actions import ACTIONS
from service.towers.features import History

N_STATES = 1000
SEED = 7


def item_columns(log: Log, as_of_s: float) -> ItemColumns:
    """The catalogue facts of all items of a log as of an instant, in the order of the log."""
    items = log.items
    first_seen_s = np.full(items.n, np.inf)
    np.minimum.at(first_seen_s, log.item, log.at_s.astype(np.float64))
    first_seen_s[~np.isfinite(first_seen_s)] = np.nan
    return ItemColumns(
        ids=items.ids,
        titles=items.titles,
        categories=items.categories,
        sellers=items.sellers,
        prices=items.prices.astype(np.float32),
        popularity=recent_popularity(log, as_of_s).astype(np.float32),
        first_seen_s=first_seen_s,
        is_new=~seen_before(log, int(as_of_s)),
        attributes=_attributes(items),
    )


def _attributes(items: Items) -> dict[str, pa.Array]:
    """What the data tell of the items besides, to filter by; nothing where they are silent."""
    found = {}
    if any(items.tags):
        found["tags"] = pa.array(items.tags, pa.list_(pa.string()))
    if items.years.any():
        found["year"] = pa.array(items.years, mask=items.years == 0)
    return found


def draw_states(log: Log, n: int = N_STATES) -> States:
    """States as a service meets them: before a random event of a random person.

    The first one is somebody unknown, at the end of the log.
    """
    random = np.random.default_rng(SEED)
    by_user = np.argsort(log.user, kind="stable")  # the log is sorted by time
    starts = np.searchsorted(log.user[by_user], np.arange(len(log.users) + 1))
    people = random.permutation(len(log.users))[: n - 1]
    histories, now_s = [History()], [float(log.at_s[-1])]
    for person in people:
        own = by_user[starts[person] : starts[person + 1]]
        moment = float(log.at_s[own[random.integers(len(own))]])
        past = own[log.at_s[own] < moment]
        histories.append(
            History(
                log.item[past].astype(np.int64),
                log.action[past].astype(np.int64),
                log.at_s[past].astype(np.float64),
            )
        )
        now_s.append(moment)
    return States(histories, np.array(now_s))


def data_facts(log: Log, dataset: Dataset) -> dict[str, object]:
    """What the manifest says of the data."""
    seen = {ACTIONS[code] for code in np.unique(log.action)}
    return {
        "name": dataset.name,
        "title": dataset.title,
        "credit": dataset.credit,
        "licence": dataset.licence,
        "events": log.n,
        "users": len(log.users),
        "items": log.items.n,
        "dropped": {drop.reason: drop.count for drop in log.drops},
        "action_types_unseen": [name for name in ACTIONS if name not in seen],
    }
