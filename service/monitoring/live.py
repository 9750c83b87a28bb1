"""Says which release this process answers from, and how old what it knows is."""

import time
from datetime import datetime

from service.monitoring.families import Families
from service.ports.serving import Release


class LiveRelease:
    """The gauges of the live release."""

    def __init__(self, families: Families) -> None:
        self._info = families.open_gauge("retrieval_release_info")
        self._items_at = families.gauge("retrieval_item_embeddings_timestamp_seconds")
        self._trained_at = families.gauge("retrieval_training_data_timestamp_seconds")
        self._loaded_at = families.gauge("retrieval_release_loaded_timestamp_seconds")
        self._index_items = families.gauges("retrieval_index_items")[("live",)]

    def set(self, release: Release) -> None:
        """This process answers from this release now; former ones stay visible with 0."""
        self._info.set_all(0.0)
        self._info.set((release.name, release.embedding_version), 1.0)
        self._loaded_at.set(time.time())
        self._index_items.set(release.catalogue.n_built)
        for gauge, name in ((self._items_at, "as_of"), (self._trained_at, "trained_through")):
            instant = _epoch_s(release.manifest.get(name))
            if instant is not None:
                gauge.set(instant)


def _epoch_s(instant: object) -> float | None:
    """Epoch seconds of a manifest instant: a number, or ISO 8601 with an offset."""
    if isinstance(instant, int | float):
        return float(instant)
    try:
        return datetime.fromisoformat(str(instant)).timestamp()
    except ValueError:
        return None
