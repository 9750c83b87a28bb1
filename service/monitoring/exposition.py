"""What has been counted as Prometheus metric families; the library writes the text."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import isnan

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.monitoring.combine import Combined
from service.monitoring.layout import Layout, Place

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


def render(layout: Layout, contents: Sequence[bytes]) -> bytes:
    """The Prometheus text for the `Cells.content` of all processes.

    Takes tens of milliseconds: let it run in a thread beside the event loop.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Counted(layout, Combined(layout, contents)))
    return generate_latest(registry)


class _Counted(Collector):
    """One reading of all numbers."""

    def __init__(self, layout: Layout, combined: Combined) -> None:
        self._layout = layout
        self._combined = combined
        self._numbers: list[float] = combined.numbers.tolist()

    def collect(self) -> Iterator[Metric]:
        for place in self._layout.places.values():
            if place.spec.kind == "histogram":
                yield self._histogram(place)
            else:
                yield self._plain(place)

    def _plain(self, place: Place) -> Metric:
        spec = place.spec
        kind = CounterMetricFamily if spec.kind == "counter" else GaugeMetricFamily
        family = kind(spec.name, spec.meaning, labels=tuple(spec.labels))
        if place.is_open:
            for values, number in sorted(self._combined.open_series(place).items()):
                family.add_metric(values, number)
            return family
        hides_zeros = spec.is_lazy and spec.kind == "counter"
        for values, at in place.series():
            number = self._numbers[at]
            if not isnan(number) and (number or not hides_zeros):
                family.add_metric(values, number)
        return family

    def _histogram(self, place: Place) -> Metric:
        """A series has its sum, then what fell between the bounds."""
        spec = place.spec
        family = HistogramMetricFamily(spec.name, spec.meaning, labels=tuple(spec.labels))
        bounds = [*(repr(float(bound)) for bound in spec.buckets), "+Inf"]
        for values, at in place.series():
            counts = accumulate(self._numbers[at + 1 : at + place.width])
            buckets = list(zip(bounds, counts, strict=True))
            family.add_metric(values, buckets, sum_value=self._numbers[at])
        return family
