"""Builds the declared metrics in a registry, with their children bound once."""

import itertools
from bisect import bisect_left
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from service.monitoring.spec import OPEN, OTHER, Spec

Labels = tuple[str, ...]


class QuickHistogram(Histogram):
    """The library's histogram with half the cost of an observation.

    A dozen are observed per request. The library walks the buckets and checks for labels and
    exemplars each time; a test compares both.
    """

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """Counts a finite amount; exemplars are not kept."""
        self._sum.inc(amount)
        self._buckets[bisect_left(self._upper_bounds, amount)].inc(1)


class QuickCounter(Counter):
    """The library's counter without its checks: two dozen are raised per request."""

    def inc(self, amount: float = 1, exemplar: dict[str, str] | None = None) -> None:
        """Adds an amount of 0 or more; exemplars are not kept."""
        self._value.inc(amount)


class Counters(dict[Labels, Counter]):
    """The children of a counter by label values, in the order of the declaration.

    A value outside the closed set is counted as `other` (or as the set's last value), so that
    no caller can make the number of series grow.
    """

    def __init__(self, family: Counter, labels: Mapping[str, Labels], is_lazy: bool) -> None:
        super().__init__()
        self._family = family
        self._sets = tuple(labels.values())
        if not is_lazy and OPEN not in self._sets:
            for values in itertools.product(*self._sets):
                self[values] = family.labels(*values) if values else family

    def __missing__(self, values: Labels) -> Counter:
        known = tuple(
            value if value in closed else _stand_in(closed)
            for value, closed in zip(values, self._sets, strict=True)
        )
        if known != values:
            return self[known]
        child = self[values] = self._family.labels(*values)
        return child


def _stand_in(closed: Labels) -> str:
    return OTHER if OTHER in closed else closed[-1]


class Families:
    """All metrics of some declarations, by name."""

    def __init__(self, specs: tuple[Spec, ...], registry: CollectorRegistry) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._registry = registry

    def counters(self, name: str) -> Counters:
        spec = self._specs.pop(name)
        family = QuickCounter(spec.name, spec.meaning, tuple(spec.labels), registry=self._registry)
        return Counters(family, spec.labels, spec.is_lazy)

    def counter(self, name: str) -> Counter:
        return self.counters(name)[()]

    def histograms(self, name: str) -> dict[str, Histogram]:
        """The children of a histogram with one label, by its value."""
        spec = self._specs.pop(name)
        family = self._histogram(spec)
        (closed,) = spec.labels.values()
        return {value: family.labels(value) for value in closed}

    def histogram(self, name: str) -> Histogram:
        return self._histogram(self._specs.pop(name))

    def gauge(self, name: str) -> Gauge:
        """The gauge itself; one with labels is bound where it is set."""
        spec = self._specs.pop(name)
        return Gauge(
            spec.name,
            spec.meaning,
            tuple(spec.labels),
            registry=self._registry,
            multiprocess_mode=spec.mode,
        )

    def _histogram(self, spec: Spec) -> Histogram:
        return QuickHistogram(
            spec.name,
            spec.meaning,
            tuple(spec.labels),
            registry=self._registry,
            buckets=spec.buckets,
        )
