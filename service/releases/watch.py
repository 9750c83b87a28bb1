"""Asks the live release again and again whether it still is what was proved when it was loaded."""

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import Protocol

from service.ports.serving import Golden, Release, Releases
from service.releases.handshake import handshake

PAUSE_S = 0.02
"""Between two questions requests are answered; one question takes a fraction of a millisecond."""
JITTER = 0.2
RECALL_SLACK = 0.02
"""Recorded neighbours of equal score may change places at the end of the list."""

log = logging.getLogger(__name__)


class WatchMetrics(Protocol):
    """What is told of every question and every round."""

    def probe(self, outcome: str) -> None: ...
    def release_fits(self, fits: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What the last round found: `failure` is a sentence, None when all is well."""

    at_s: float
    release: str
    failure: str | None


class Watch:
    """Looks at the live release every `every_s` seconds, give or take a fifth."""

    def __init__(self, releases: Releases, metrics: WatchMetrics, every_s: float) -> None:
        self._releases = releases
        self._metrics = metrics
        self._every_s = every_s
        self.found: Finding | None = None

    async def run(self) -> None:
        """Looks until cancelled; whatever is wrong is told, and changes nothing else."""
        self._metrics.release_fits(True)  # it was proved when it was loaded
        while True:
            await asyncio.sleep(self._every_s * random.uniform(1 - JITTER, 1 + JITTER))
            try:
                await self.look()
            except Exception:
                self._metrics.probe("other")
                log.exception("the live release could not be asked its golden probes")

    async def look(self) -> Finding:
        """One round: the handshake, then every golden probe."""
        release = self._releases.live
        failure = handshake(release)
        if release.golden is not None:
            failure = failure or await self._ask(release.golden, release)
        self.found = Finding(time.time(), release.name, failure)
        self._metrics.release_fits(failure is None)
        if failure is not None:
            log.error("the live release %s does not fit itself: %s", release.name, failure)
        return self.found

    async def _ask(self, golden: Golden, release: Release) -> str | None:
        """The first failure of a round."""
        failure, recall, floor = None, 0.0, _recall_floor(release)
        for number in range(len(golden)):
            await asyncio.sleep(PAUSE_S)
            wrong = golden.check_vector(number, release)
            await asyncio.sleep(0)
            found = golden.recall(number, release)
            recall += found / len(golden)
            self._metrics.probe("vector" if wrong else "passed" if found else "neighbours")
            failure = failure or wrong
        if recall < floor - RECALL_SLACK:
            failure = failure or f"the index finds {recall:.3f} of the recorded neighbours"
        return failure


def _recall_floor(release: Release) -> float:
    index = release.manifest.get("index")
    return float(index["recall_floor"]) if isinstance(index, dict) else 0.0
