"""What the stages cost, in one process and without a store: `make bench-stages`."""

import argparse
import asyncio
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from service.domain.requests import Request
from service.domain.sessions import Session
from service.domain.traces import Trace
from service.releases.loader import load_release
from service.releases.local_store import LocalStore
from service.settings.pipeline import PipelineSettings
from service.stages.identify import Identify
from service.stages.lookup import Lookup
from service.stages.page import Page
from service.wiring.read_path import Shared, make_pipeline
from tests.factories import NoTrends
from tests.fake_memories import FakePages
from tests.fakes import FakeSessions

BEYOND = ("filter", "fill", "explore", "sponsor", "diversify", "truncate")
CANDIDATES = 500
ROUNDS = 2000
WARM_UP = 200


class Live:
    """One release."""

    def __init__(self, store: Path) -> None:
        self.live = load_release(store / LocalStore(store).current())


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path("models/demo/store"))
    releases = Live(parser.parse_args().store)
    say(f"release {releases.live.name}, {len(releases.live.catalogue)} items")
    for k in (25, 100):
        stages = asyncio.run(_measure(releases, k))
        beyond_us = statistics.median(np.sum([stages[name] for name in BEYOND], axis=0))
        say(f"\nk = {k}, {CANDIDATES} candidates, median of {ROUNDS} lists, microseconds")
        for name, times in stages.items():
            say(f"  {name:<10} {statistics.median(times):8.1f}")
        say(f"  beyond retrieval {beyond_us:.1f} (wanted: at most 500)")


async def _measure(releases: Live, k: int) -> dict[str, list[float]]:
    """Times of each stage, for people with twenty actions each and purchases behind them."""
    settings = PipelineSettings(overfetch=min(20.0, CANDIDATES / k))
    lookup = Lookup(FakeSessions(time.time), 1.0, Identify(0))
    shared = Shared(releases, time.time, lookup, Page(FakePages(), 1.0), NoTrends())
    pipeline = make_pipeline(settings, 1800.0, shared)
    rng, ids = np.random.default_rng(1), releases.live.catalogue.item_ids
    stages: dict[str, list[float]] = defaultdict(list)
    for round_number in range(WARM_UP + ROUNDS):
        rows = rng.integers(0, len(ids), 20)
        session = Session(
            item_ids=tuple(ids[row] for row in rows.tolist()),
            action_types=rng.integers(0, 4, 20),
            at_s=np.sort(time.time() - rng.uniform(60, 1e6, 20)),
        )
        request = Request(
            k,
            recent_actions=session,
            sponsored_item_ids=(ids[0],),
            exclude_seen=True,
            timeout_ms=1e3,
        )
        trace = Trace("t")
        await pipeline.recommend(request, trace)
        if round_number >= WARM_UP:
            for stage in trace.stages:
                stages[stage.name].append(stage.duration_s * 1e6)
    return stages


if __name__ == "__main__":
    main()
