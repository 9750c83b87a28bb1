"""What a scrape says."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]


def samples(text: bytes) -> Mapping[Series, float]:
    """Every series of a scrape, read by the library of Prometheus itself."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            series = (sample.name, frozenset(sample.labels.items()))
            assert series not in found, f"{series} is there twice"
            found[series] = sample.value
    return found


def sample(text: bytes, name: str, **labels: str) -> float | None:
    """The number of one series; None when it is not there."""
    return samples(text).get((name, frozenset(labels.items())))
