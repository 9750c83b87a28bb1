"""What the declared metrics are counted with: bound once, a few hundred nanoseconds a call."""

import math
from bisect import bisect_left

from service.monitoring.cells import Cells
from service.monitoring.layout import OPEN_SERIES, Layout, Place
from service.monitoring.spec import OTHER, Labels


class Counter:
    """A sum that only grows."""

    __slots__ = ("_at", "_numbers")

    def __init__(self, cells: Cells, at: int) -> None:
        self._numbers, self._at = cells.numbers, at

    def inc(self, amount: float = 1.0) -> None:
        """Adds an amount of 0 or more."""
        self._numbers[self._at] += amount


class Histogram:
    """How many amounts fell between which bounds, and their sum."""

    __slots__ = ("_at", "_bounds", "_numbers")

    def __init__(self, cells: Cells, at: int, bounds: tuple[float, ...]) -> None:
        self._numbers, self._at, self._bounds = cells.numbers, at, bounds

    def observe(self, amount: float) -> None:
        """Counts a finite amount."""
        numbers, at = self._numbers, self._at
        numbers[at] += amount
        numbers[at + 1 + bisect_left(self._bounds, amount)] += 1.0


class Gauge:
    """A number that goes up and down; absent until it is set."""

    __slots__ = ("_at", "_numbers")

    def __init__(self, cells: Cells, at: int) -> None:
        self._numbers, self._at = cells.numbers, at

    def set(self, number: float) -> None:
        self._numbers[self._at] = number

    def inc(self) -> None:
        self._numbers[self._at] += 1.0

    def dec(self) -> None:
        self._numbers[self._at] -= 1.0


class Counters(dict[Labels, Counter]):
    """The counters of a metric by label values, in the order of the declaration.

    A value outside the closed set is counted as `other` (or as the set's last value), so that
    no caller can make the number of series grow.
    """

    def __init__(self, cells: Cells, place: Place) -> None:
        super().__init__((values, Counter(cells, at)) for values, at in place.series())
        self._sets = tuple(place.spec.labels.values())

    def __missing__(self, values: Labels) -> Counter:
        return self[
            tuple(
                value if value in closed else _stand_in(closed)
                for value, closed in zip(values, self._sets, strict=True)
            )
        ]


class Histograms(dict[str, Histogram]):
    """The histograms of a metric with one label, by its value; others count as `other`."""

    def __missing__(self, value: str) -> Histogram:
        return self[_stand_in(tuple(self))]


class OpenGauge:
    """A gauge whose label values come from releases or the build; it keeps the newest few."""

    def __init__(self, cells: Cells, place: Place) -> None:
        self._cells, self._place = cells, place
        self._kept: dict[Labels, int] = {}

    def set(self, values: Labels, number: float) -> None:
        """Sets one series; when there is no room for it, the one set longest ago goes."""
        i = self._kept.pop(values, None)
        if i is None:
            i = len(self._kept)
            if i == OPEN_SERIES:
                i = self._kept.pop(next(iter(self._kept)))
            # no number while its name is written
            self._cells.numbers[self._place.at + i] = math.nan
            self._cells.write_text(self._place.text + i, values)
        self._kept[values] = i
        self._cells.numbers[self._place.at + i] = number

    def set_all(self, number: float) -> None:
        """Sets every series that is kept."""
        for i in self._kept.values():
            self._cells.numbers[self._place.at + i] = number


class Families:
    """All metrics of a layout, by name."""

    def __init__(self, layout: Layout, cells: Cells) -> None:
        self._places, self._cells = layout.places, cells

    def counters(self, name: str) -> Counters:
        return Counters(self._cells, self._places[name])

    def counter(self, name: str) -> Counter:
        return self.counters(name)[()]

    def histograms(self, name: str) -> Histograms:
        place = self._places[name]
        bounds = place.spec.buckets
        return Histograms(
            (value, Histogram(self._cells, at, bounds)) for (value,), at in place.series()
        )

    def histogram(self, name: str) -> Histogram:
        place = self._places[name]
        return Histogram(self._cells, place.at, place.spec.buckets)

    def gauges(self, name: str) -> dict[Labels, Gauge]:
        """The gauges of a metric by label values, at 0 unless it is declared lazy."""
        place = self._places[name]
        found = {values: Gauge(self._cells, at) for values, at in place.series()}
        if not place.spec.is_lazy:
            for gauge in found.values():
                gauge.set(0.0)
        return found

    def gauge(self, name: str) -> Gauge:
        return self.gauges(name)[()]

    def open_gauge(self, name: str) -> OpenGauge:
        return OpenGauge(self._cells, self._places[name])


def _stand_in(closed: Labels) -> str:
    return OTHER if OTHER in closed else closed[-1]
