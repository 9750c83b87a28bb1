"""Where each number of the declared metrics lies."""

import hashlib
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.monitoring.cells import Shape
from service.monitoring.spec import OPEN, Labels, Spec

OPEN_SERIES = 20
"""How many series of a metric with open labels one process shows."""


@dataclass(frozen=True, slots=True)
class Place:
    """The cells of one metric.

    Attributes:
        at: its first cell.
        text: where the label values of its first series are kept, if they are open.
    """

    spec: Spec
    at: int
    text: int = 0

    @property
    def is_open(self) -> bool:
        return OPEN in self.spec.labels.values()

    @property
    def width(self) -> int:
        """Cells of one series; a histogram has its sum, its buckets, and what is above them."""
        return len(self.spec.buckets) + 2 if self.spec.kind == "histogram" else 1

    @property
    def n_series(self) -> int:
        return OPEN_SERIES if self.is_open else math.prod(map(len, self.spec.labels.values()))

    def cells(self) -> range:
        return range(self.at, self.at + self.n_series * self.width)

    def series(self) -> Iterable[tuple[Labels, int]]:
        """The label values of each series of closed sets, and its first cell."""
        for i, values in enumerate(itertools.product(*self.spec.labels.values())):
            yield values, self.at + i * self.width


@dataclass(frozen=True, slots=True)
class Layout:
    """All places by the name of the metric, in the order of the declarations."""

    places: Mapping[str, Place]
    shape: Shape


def lay_out(specs: tuple[Spec, ...]) -> Layout:
    """Sums first, then gauges, those with open labels last."""
    gauges = [spec for spec in specs if spec.kind == "gauge"]
    sums = [spec for spec in specs if spec.kind != "gauge"]
    gauges.sort(key=lambda spec: OPEN in spec.labels.values())
    at, text = 1, 0
    found: dict[str, Place] = {}
    for spec in (*sums, *gauges):
        place = found[spec.name] = Place(spec, at, text)
        at = place.cells().stop
        text += place.n_series if place.is_open else 0
    first = found[gauges[0].name].at if gauges else at
    digest = hashlib.sha256(repr(specs).encode()).hexdigest()[:12]
    shape = Shape(digest, n_sums=first - 1, n_gauges=at - first, n_texts=text)
    return Layout({spec.name: found[spec.name] for spec in specs}, shape)
