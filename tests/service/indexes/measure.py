"""Latency and recall under filters: `python -m tests.service.indexes.measure [items]`.

Processor time of the searching thread, so that other processes on the machine count as little as
possible; users and filters come in a random order, so that none has the caches to itself.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import hnswlib
import numpy as np

from service.domain.arrays import Mask, Rows, Vector
from service.domain.requests import NO_FILTERS, Condition, Filters
from service.domain.searches import Found, Route
from service.indexes.exact import best
from service.indexes.router import Router
from tests.service.indexes.big import (
    DEPTH,
    Big,
    conjunction,
    facets,
    graph,
    make_big,
    make_router,
    smallest_ef,
)

FOLDER = Path("var/big")
ROUNDS = 3
N_CALLBACKS = 20
CALLBACK_SHARE = 0.02


@dataclass
class Tally:
    """What the searches by one filter came to."""

    passing: list[int] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    recalls: list[float] = field(default_factory=list)
    n_short: int = 0
    routes: Counter[Route] = field(default_factory=Counter)

    def add(self, found: Found, took_s: float, true: Rows) -> None:
        self.took_s.append(took_s)
        self.passing.append(found.passing)
        self.routes[found.route] += 1
        self.n_short += len(found.rows) < len(true)
        if len(true):
            self.recalls.append(len(set(true.tolist()) & set(found.rows.tolist())) / len(true))

    @property
    def p95_us(self) -> float:
        return float(np.percentile(self.took_s, 95)) * 1e6

    def line(self, name: str, beside: "Tally", n_items: int) -> str:
        p50_us = float(np.percentile(self.took_s, 50)) * 1e6
        routes = ", ".join(f"{route} {count}" for route, count in self.routes.most_common())
        return (
            f"{name:28s} pass {100 * np.mean(self.passing) / n_items:6.2f} %  p50 {p50_us:6.0f} us"
            f"  p95 {self.p95_us:6.0f} us  ratio {self.p95_us / beside.p95_us:5.2f}"
            f"  recall {np.mean(self.recalls):.3f}  short {self.n_short}  {routes}"
        )


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Ask:
    """A search, and the rows that are right."""

    name: str
    query: Vector
    filters: Filters
    true: Rows


def ask(router: Router, asks: Sequence[Ask]) -> dict[str, Tally]:
    """All of them, several times in a random order.

    The median of the times of each counts: the machine stalls by itself, and these tails are those
    of searches.
    """
    took_s: list[list[float]] = [[] for _ in asks]
    found = [Found.nothing()] * len(asks)
    order = np.repeat(np.arange(len(asks)), ROUNDS)
    for at in np.random.default_rng(1).permutation(order).tolist():
        began_s = time.thread_time()
        found[at] = router.search(asks[at].query, DEPTH, asks[at].filters)
        took_s[at].append(time.thread_time() - began_s)
    tallies = {one.name: Tally() for one in asks}
    for one, result, times_s in zip(asks, found, took_s, strict=True):
        tallies[one.name].add(result, float(np.median(times_s)), one.true)
    return tallies


def true_rows(scores: np.ndarray, mask: Mask) -> Rows:
    rows = np.flatnonzero(mask)
    return rows[best(scores[rows], DEPTH)[0]]


def by_taste(big: Big, scores: np.ndarray) -> dict[str, Filters]:
    """Filters that go along with somebody's taste, and that contradict it."""
    liked = [str(code) for code in dict.fromkeys(big.categories[best(scores, DEPTH)[0]].tolist())]
    disliked = str(big.categories[int(np.argmin(scores))])
    return {
        "the nearest category": Filters.of({"category": Condition(any_of=tuple(liked[:1]))}),
        "none of the near categories": Filters.of({"category": Condition(none_of=tuple(liked))}),
        "the farthest category": Filters.of({"category": Condition(any_of=(disliked,))}),
        "far and affordable": Filters.of(
            {"category": Condition(any_of=(disliked,)), "price": Condition(at_most=20.0)}
        ),
    }


def measure(big: Big, router: Router) -> dict[str, Tally]:
    named = {"unfiltered": NO_FILTERS} | {
        f"{family} {100 * share:g} %": filters
        for family, by_share in facets(big).items()
        for share, filters in by_share.items()
    }
    masks = {name: big.matching(filters) for name, filters in named.items()}
    for filters in named.values():
        for query in big.probes[:3]:  # compiled, and rows and signs kept
            router.search(query, DEPTH, filters)
    asks = []
    for query in big.queries:
        scores = big.vectors @ query
        for name, filters in named.items():
            asks.append(Ask(name, query, filters, true_rows(scores, masks[name])))
        for name, filters in by_taste(big, scores).items():
            asks.append(Ask(name, query, filters, true_rows(scores, big.matching(filters))))
    return ask(router, asks)


def sold_out(big: Big, built: hnswlib.Index, ef: int) -> dict[str, Tally]:
    """Nineteen of twenty items cannot be bought."""
    in_stock = np.random.default_rng(3).random(len(big)) < 0.05
    router = make_router(replace(big, in_stock=in_stock), built, ef)
    pairs = ((query, true_rows(big.vectors @ query, in_stock)) for query in big.queries)
    return ask(router, [Ask("one in twenty in stock", q, NO_FILTERS, true) for q, true in pairs])


def compiling(big: Big, router: Router) -> float:
    """Milliseconds to compile filters that nobody asked before, median."""
    took_s = []
    for price in np.linspace(5.0, 50.0, 30):
        filters = Filters.of({"price": Condition(at_most=float(price))})
        began_s = time.thread_time()
        router.cache.of(filters)
        took_s.append(time.thread_time() - began_s)
    return float(np.median(took_s)) * 1000


def against_callback(big: Big, router: Router, built: hnswlib.Index, ef: int) -> str:
    """Queries per second beside hnswlib's own filter function, at the same ef."""
    filters = conjunction(big, CALLBACK_SHARE)
    mask = big.matching(filters)
    passes = mask.tolist()
    trues = [true_rows(big.vectors @ query, mask) for query in big.queries[:N_CALLBACKS]]

    def by_callback(query: Vector) -> Rows:
        built.set_ef(ef)
        labels, _ = built.knn_query(query, k=DEPTH, num_threads=1, filter=lambda row: passes[row])
        found: Rows = labels[0].astype(np.int64)
        return found

    theirs, their_recall = _rate(by_callback, big, trues)
    ours, our_recall = _rate(lambda q: router.search(q, DEPTH, filters).rows, big, trues)
    return (
        f"at {100 * mask.mean():.1f} % pass: hnswlib's callback {theirs:.0f} queries/s (recall "
        f"{their_recall:.3f}), the router {ours:.0f} (recall {our_recall:.3f}): "
        f"{ours / theirs:.0f}x"
    )


def _rate(search: Callable[[Vector], Rows], big: Big, trues: list[Rows]) -> tuple[float, float]:
    began_s, recalls = time.thread_time(), []
    for query, true in zip(big.queries, trues, strict=False):
        recalls.append(len(set(search(query).tolist()) & set(true.tolist())) / len(true))
    return len(recalls) / (time.thread_time() - began_s), float(np.mean(recalls))


def main() -> int:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    big = make_big(n)
    built = graph(FOLDER, big)
    built.set_num_threads(1)
    ef = smallest_ef(built, big)
    began_s = time.thread_time()
    router = make_router(big, built, ef)
    ready_s = time.thread_time() - began_s
    say(f"{n:,} x {big.vectors.shape[1]}, ef {ef}, router ready in {ready_s:.2f} s")
    tallies = measure(big, router)
    tallies |= sold_out(big, built, ef)
    for name, tally in tallies.items():
        say(tally.line(name, tallies["unfiltered"], n))
    held = router.cache.nbytes / 1e6
    say(f"compiling a filter: {compiling(big, router):.2f} ms; {held:.0f} MB held for filters")
    say(against_callback(big, router, built, ef))
    return 0


if __name__ == "__main__":
    sys.exit(main())
