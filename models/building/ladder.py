"""The static lists of a release: popular and trending per scope, from the log."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models.interactions import Log, positive
from service.domain.arrays import Rows
from service.domain.ladders import ALL, Ladder, category_scope, country_scope

DAY_S = 86_400.0
HALF_LIFE_DAYS = 7.0
"""Popular = positive events, one from a week ago counting half; of 3 to 21 days the best for
visitors without history on the validation slice of online-retail."""

TRENDING_DAYS, USUAL_DAYS = 3, 28
"""Trending = how far the last three days stand out from the last four weeks."""

LENGTHS = {ALL: 1000, "": 300}
"""Items kept per scope: the list of everything is the last resort of every request."""

LEAST_EVENTS = 50
"""A country with fewer positive events in the window is not worth a list."""

Floats = NDArray[np.float64]


def recent_popularity(log: Log, as_of_s: float) -> Floats:
    """Share of the positive events before an instant, recent ones weighing more, float64 [n]."""
    use = positive(log) & (log.at_s < as_of_s)
    weights = _decayed(log, as_of_s)[use]
    counts = np.bincount(log.item[use], weights, minlength=log.items.n)
    shares: Floats = counts / max(float(counts.sum()), 1e-12)
    return shares


def make_ladder(log: Log, as_of_s: float) -> Ladder:
    """Popular and trending items of everything, of each category and of each larger country.

    Rows are positions in `log.items`. Scopes without any event have no list.
    """
    popular: dict[str, Rows] = {}
    trending: dict[str, Rows] = {}
    good = positive(log) & (log.at_s < as_of_s)
    weights = _decayed(log, as_of_s)
    for scope, events in _scopes(log, good):
        items = log.item[events]
        counts: Floats = np.bincount(items, weights[events], log.items.n).astype(np.float64)
        popular[scope] = _best(counts, scope)
        trending[scope] = _best(_rise(log, items, log.at_s[events], as_of_s), scope)
    return Ladder(popular, {scope: rows for scope, rows in trending.items() if len(rows)})


def _scopes(log: Log, good: NDArray[np.bool_]) -> list[tuple[str, Rows]]:
    """Scope names, and the positions of their events in time order."""
    events = np.flatnonzero(good)
    scopes = [(ALL, events)]
    categories = _groups(events, log.items.categories, log.item[events])
    scopes += [(category_scope(name), group) for name, group in categories]
    for name, group in _groups(events, log.countries, log.user[events]):
        if name and len(group) >= LEAST_EVENTS:
            scopes.append((country_scope(name), group))
    return scopes


def _groups(
    events: Rows, labels: Sequence[str], owner: NDArray[np.int32]
) -> Iterator[tuple[str, Rows]]:
    """Events by the label of their item or user; labels without any event are left out."""
    names, codes = np.unique(np.asarray(labels), return_inverse=True)
    code = codes[owner]
    by_code = np.argsort(code, kind="stable")
    for run in np.split(by_code, np.flatnonzero(np.diff(code[by_code])) + 1):
        if len(run):
            yield str(names[code[run[0]]]), events[run]


def _decayed(log: Log, as_of_s: float) -> Floats:
    age_days = np.maximum(as_of_s - log.at_s, 0.0) / DAY_S
    decayed: Floats = 0.5 ** (age_days / HALF_LIFE_DAYS)
    return decayed


def _rise(log: Log, items: NDArray[np.int32], at_s: NDArray[np.int64], as_of_s: float) -> Floats:
    """Events of the last days above what the last weeks let expect, in standard deviations."""
    n = log.items.n
    now = np.bincount(items[at_s >= as_of_s - TRENDING_DAYS * DAY_S], minlength=n)
    usual = np.bincount(items[at_s >= as_of_s - USUAL_DAYS * DAY_S], minlength=n)
    expected = usual * (TRENDING_DAYS / USUAL_DAYS)
    return np.where(now > 0, (now - expected) / np.sqrt(expected + 1.0), 0.0)


def _best(score: Floats, scope: str) -> Rows:
    """Rows with a score above zero, best first, equal ones by row."""
    rows = np.argsort(-score, kind="stable")
    rows = rows[score[rows] > 0]
    return rows[: LENGTHS.get(scope, LENGTHS[""])]
