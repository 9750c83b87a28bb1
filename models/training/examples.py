"""Training examples: what a person had done before an order, and what the order then held."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.interactions import Log, positive
from models.networks.item_features import DAY_S
from models.recipes import Recipe
from service.towers.features import History

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of a log sorted by user, then time: a history is a slice.

    Attributes:
        rows, actions: int64 [n]; at_s: float64 [n]; starts: int64 [users + 1].
    """

    rows: Ints
    actions: Ints
    at_s: NDArray[np.float64]
    starts: Ints

    @classmethod
    def of(cls, log: Log, until_s: int) -> "Stream":
        """Take the events before a time."""
        n = int(np.searchsorted(log.at_s, until_s))
        order = np.argsort(log.user[:n], kind="stable")
        counts = np.bincount(log.user[:n], minlength=len(log.users))
        return cls(
            log.item[:n][order].astype(np.int64),
            log.action[:n][order].astype(np.int64),
            log.at_s[:n][order].astype(np.float64),
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        )

    def history(self, user: int, before: int, length: int) -> History:
        """Return the newest `length` actions of a user in front of position `before`."""
        low = max(int(self.starts[user]), before - length)
        return History(self.rows[low:before], self.actions[low:before], self.at_s[low:before])


@dataclass(frozen=True, slots=True)
class Examples:
    """One example per order with a positive event; targets of example i are a slice.

    Attributes:
        user, at_s: int64 [n], who and the start of the order (epoch s).
        before: int64 [n], position in the stream: the state is all of the user in front of it.
        bucket: int64 [n], time bucket; all counts of a batch are as of its start.
        weight: float32 [n], mean 1.
        starts: int64 [n + 1]; items: int64 [total]; shares: float32 [total], sum 1 per example,
            the items of the order itself first; own: int64 [n], how many those are.
        own_actions: int64 [total], the type of the own lines (0 elsewhere).
    """

    user: Ints
    at_s: Ints
    before: Ints
    bucket: Ints
    weight: NDArray[np.float32]
    starts: Ints
    items: Ints
    shares: NDArray[np.float32]
    own: Ints
    own_actions: Ints

    @property
    def n(self) -> int:
        return len(self.user)

    @property
    def n_targets(self) -> Ints:
        """How many targets each example has, following orders included."""
        return np.diff(self.starts)


@dataclass(frozen=True, slots=True)
class _Orders:
    """Orders with a positive event before a time, by user, then time; lines are distinct items."""

    user: Ints
    at_s: Ints
    starts: Ints
    items: Ints
    actions: Ints


def make_examples(log: Log, stream: Stream, recipe: Recipe, until_s: int) -> Examples:
    """Turn a log into training examples.

    Args:
        log: all events.
        stream: the events before `until_s`.
        recipe: following orders, half-life, weight by targets, bucket length.
        until_s: no event of this time or later is looked at.
    """
    orders = _orders(log, until_s)
    apart = 2 * until_s  # spreads users along one axis of time: one search finds all places
    counts = np.diff(stream.starts)
    keys = stream.at_s.astype(np.int64) + np.repeat(np.arange(len(counts)) * apart, counts)
    before = np.searchsorted(keys, orders.at_s + orders.user * apart, side="left")
    starts, items, shares, actions = _targets(orders, recipe.following_orders)
    own = np.diff(orders.starts)
    age_days = (until_s - orders.at_s) / DAY_S
    weight = 0.5 ** (age_days / recipe.half_life_days) * own**recipe.targets_power
    return Examples(
        user=orders.user,
        at_s=orders.at_s,
        before=before.astype(np.int64),
        bucket=orders.at_s // (recipe.bucket_days * DAY_S),
        weight=(weight / max(weight.mean(), 1e-30) if len(weight) else weight).astype(np.float32),
        starts=starts,
        items=items,
        shares=shares,
        own=own,
        own_actions=actions,
    )


def _orders(log: Log, until_s: int) -> _Orders:
    use = log.at_s < until_s
    start = np.full(int(log.order.max(initial=-1)) + 1, until_s, np.int64)
    np.minimum.at(start, log.order[use], log.at_s[use])
    use &= positive(log)
    order, item, action = log.order[use], log.item[use], log.action[use]
    _, first = np.unique(order.astype(np.int64) * log.items.n + item, return_index=True)
    order, item, action, user = order[first], item[first], action[first], log.user[use][first]
    by_user = np.lexsort((item, order, start[order], user))
    order, item = order[by_user], item[by_user]
    edges = np.flatnonzero(np.diff(order, prepend=-1, append=-1))
    heads = edges[:-1]
    return _Orders(
        user=user[by_user][heads].astype(np.int64),
        at_s=start[order[heads]],
        starts=edges.astype(np.int64),
        items=item.astype(np.int64),
        actions=action[by_user].astype(np.int64),
    )


def _targets(orders: _Orders, following: int) -> tuple[Ints, Ints, NDArray[np.float32], Ints]:
    """Give each order its own items and, with weights 1/2, 1/4, ..., those of the next orders."""
    users, lines, bounds = orders.user.tolist(), orders.items.tolist(), orders.starts.tolist()
    kinds = orders.actions.tolist()
    items: list[int] = []
    shares: list[float] = []
    actions: list[int] = []
    starts = [0]
    for i, user in enumerate(users):
        low, high = bounds[i], bounds[i + 1]
        weights = dict.fromkeys(lines[low:high], 1.0)
        for step in range(1, following + 1):
            if i + step >= len(users) or users[i + step] != user:
                break
            for item in lines[bounds[i + step] : bounds[i + step + 1]]:
                weights[item] = weights.get(item, 0.0) + 0.5**step
        total = sum(weights.values())
        items.extend(weights)
        shares.extend(weight / total for weight in weights.values())
        actions.extend(kinds[low:high] + [0] * (len(weights) - high + low))
        starts.append(len(items))
    whole = np.array(starts, np.int64), np.array(items, np.int64)
    return *whole, np.array(shares, np.float32), np.array(actions, np.int64)
