"""Counts what was answered: lists, their sources, what rules removed, a second look at policy."""

from collections import Counter

from service.domain.arrays import Rows
from service.domain.recommendations import Recommendation
from service.domain.sources import SOURCE_WORDS, Source
from service.domain.traces import Trace
from service.monitoring.families import Families
from service.ports.serving import Release

TOP = 10


class ListMetrics:
    """Everything about finished lists."""

    def __init__(self, families: Families) -> None:
        self._responses = families.counters("retrieval_responses_total")
        self._returned = families.histogram("retrieval_candidates_returned")
        self._searches = families.counters("retrieval_searches_total")
        self._empty = families.counters("retrieval_empty_results_total")
        sources = families.counters("retrieval_candidates_total")
        self._sources = tuple(sources[(word,)] for word in SOURCE_WORDS)
        self._filtered = families.counters("retrieval_filtered_items_total")
        self._filtered_ratio = families.histogram("retrieval_filtered_ratio")
        self._thinned = families.counter("retrieval_thinned_lists_total")
        self._violations = families.counters("retrieval_policy_violations_total")
        self._category_share = families.histogram("retrieval_category_top_share_ratio")
        self._seller_top10 = families.histogram("retrieval_seller_top10_items")
        slots = families.counters("retrieval_slots_total")
        self._exploit, self._explore = slots[("exploit",)], slots[("explore",)]

    def response(self, trace: Trace, answer: Recommendation) -> None:
        """One list for a person, whatever is in it."""
        sources = answer.items.sources
        source = SOURCE_WORDS[sources[0]] if len(sources) else "none"
        degraded = trace.degraded[0] if trace.degraded else "none"
        self._responses[(answer.segment, source, degraded)].inc()
        if not len(sources):
            self._empty[(answer.segment,)].inc()

    def items(self, trace: Trace, answer: Recommendation) -> None:
        """How many items, of which sources, and what the rules removed."""
        n = len(answer.items)
        self._returned.observe(n)
        if trace.search is not None:
            attempt = "second" if trace.search.is_second_try else "first"
            self._searches[(trace.search.route, attempt)].inc()
        sources = answer.items.sources.tobytes()
        for source in set(sources):  # positions in Source, one byte each
            self._sources[source].inc(sources.count(source))
        explored = sources.count(Source.EXPLORATION)
        self._exploit.inc(n - explored)
        if explored:
            self._explore.inc(explored)
        removed = sum(trace.removed.values())
        for rule, count in trace.removed.items():
            self._filtered[(rule,)].inc(count)
        if trace.is_thinned:
            self._thinned.inc()
        if removed or n:
            self._filtered_ratio.observe(removed / (removed + n))

    def contents(self, rows: Rows, release: Release) -> None:
        """A second look at the finished list: may it be shown, and how varied is it?"""
        if not len(rows):
            return
        catalogue = release.catalogue
        # bytes are searched and counted faster than twenty numpy values
        self._violated("stock", release.stock.in_stock.take(rows).tobytes().count(0))
        self._violated("policy", catalogue.is_blocked.take(rows).tobytes().count(1))
        self._category_share.observe(
            _most_common(catalogue.categories.take(rows).tolist()) / len(rows)
        )
        sellers = [seller for seller in catalogue.sellers.take(rows[:TOP]).tolist() if seller >= 0]
        if sellers:
            self._seller_top10.observe(_most_common(sellers))

    def _violated(self, rule: str, n: int) -> None:
        if n:
            self._violations[(rule,)].inc(n)


def _most_common(values: list[int]) -> int:
    return max(Counter(values).values())
