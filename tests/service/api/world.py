"""A whole service in memory: real routes, pipeline and ingest over a tiny release."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx

from service.app import create_app
from service.errors import NotReady
from service.impressions.files import RotatedFiles
from service.impressions.log import ImpressionLog
from service.ingest import Ingest
from service.items import Items
from service.monitoring.metrics import Metrics
from service.people import People
from service.ports.serving import Release
from service.releases.watch import Watch
from service.settings.tree import Settings
from service.shadow.sampler import Sampler
from service.stages.identify import Identify
from service.stages.lookup import Lookup
from service.stages.page import Page
from service.stores.breaker import Breaker
from service.trends import Trends
from service.wiring.parts import Parts
from service.wiring.read_path import Shared, make_scenarios
from tests.factories import NOW_S, make_catalogue, make_release
from tests.fake_memories import FakePages, FakeTrends
from tests.fakes import FakeAdmin, FakeIdentities, FakeItems, FakeSessions
from tests.scrapes import sample


class Held:
    """Stands for the release manager: one release, or none."""

    def __init__(self, release: Release | None) -> None:
        self.release = release

    @property
    def live(self) -> Release:
        if self.release is None:
            raise NotReady("none")
        return self.release


@dataclass
class Up:
    """Stands for the Redis client."""

    breaker: Breaker

    @property
    def is_up(self) -> bool:
        return self.breaker.is_closed


@dataclass
class World:
    """The parts, and ways to make them fail."""

    release: Release | None = field(default_factory=lambda: make_release(make_catalogue(30)))
    settings: Settings = field(default_factory=Settings)
    now_s: float = NOW_S
    admin: FakeAdmin = field(default_factory=lambda: FakeAdmin({"tiny": ""}, "tiny"))

    def __post_init__(self) -> None:
        self.releases = Held(self.release)
        self.sessions = FakeSessions(self.clock)
        self.items = FakeItems()
        self.metrics = Metrics()
        self.breaker = Breaker(5, 1.0, 30.0, self.metrics.breaker)
        files = RotatedFiles(Path("never-written"), 2**20, 2**20)
        self.impressions = ImpressionLog(files, 1.0, self.metrics.lines_dropped)
        self.pages = FakePages()
        self.trends = Trends(FakeTrends(), self.releases, self.clock)
        lookup = Lookup(self.sessions, 0.01, Identify(100))
        page = Page(self.pages, 0.01)
        shared = Shared(self.releases, self.clock, lookup, page, self.trends)
        self.scenarios = make_scenarios(self.settings, shared)
        self.parts = Parts(
            settings=self.settings,
            releases=cast(Any, self.releases),
            redis=cast(Any, Up(self.breaker)),
            scenarios=self.scenarios,
            ingest=Ingest(self.sessions, self.clock),
            items=Items(self.items, self.releases, self.clock, self.metrics.items),
            people=People(FakeIdentities(self.sessions)),
            metrics=self.metrics,
            clock=self.clock,
            admin=self.admin,
            shadow=Sampler(None, 0.0, "tiny", self.metrics.operator.shadow),
            watch=Watch(self.releases, self.metrics.operator, 300.0),
            impressions=self.impressions,
            pages=self.pages,
            trends=self.trends,
        )
        self.app = create_app(self.settings, self.parts)

    def clock(self) -> float:
        return self.now_s

    def client(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(cast(Any, self.app))
        return httpx.AsyncClient(transport=transport, base_url="http://shop")

    def sample(self, name: str, **labels: str) -> float:
        """The value of a metric, 0 when it was never recorded."""
        return sample(self.metrics.render(), name, **labels) or 0.0
