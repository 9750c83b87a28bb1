"""The read path of each scenario: stages, rules and rungs, put together from its settings."""

from dataclasses import dataclass

from service.fallback.content import Content
from service.fallback.popular import Popular
from service.fallback.trending import Trending
from service.pipeline import Pipeline
from service.ports.serving import Clock, LiveTrends, Releases, Rule, Rung
from service.ports.stores import PageStore, SessionStore
from service.rules.disliked import NotDisliked
from service.rules.excluded import NotExcluded
from service.rules.filters import Matches
from service.rules.policy import Policy
from service.rules.purchased import NotPurchased
from service.rules.seen import NotSeen
from service.rules.shown import NotShown
from service.rules.stock import InStock
from service.settings.pipeline import PipelineSettings
from service.settings.scenarios import DEFAULT, load_scenarios
from service.settings.tree import Settings
from service.stages.blend import Blend
from service.stages.diversify import Diversify
from service.stages.explore import Explore
from service.stages.fill import Fill
from service.stages.filter import Filter
from service.stages.identify import Identify
from service.stages.lookup import Lookup
from service.stages.page import Page
from service.stages.retrieve import Retrieve
from service.stages.segment import Segmenter
from service.stages.sponsor import Sponsor


@dataclass(frozen=True, slots=True)
class Scenario:
    """A place on the site: its settings, and the read path made from them."""

    settings: PipelineSettings
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Shared:
    """What the read paths of all scenarios work with."""

    releases: Releases
    clock: Clock
    lookup: Lookup
    page: Page
    trends: LiveTrends


def lookup_of(settings: Settings, sessions: SessionStore) -> Lookup:
    identify = Identify(settings.sessions.links_remembered)
    return Lookup(sessions, settings.redis.read_timeout_ms / 1000, identify)


def page_of(settings: Settings, pages: PageStore) -> Page:
    return Page(pages, settings.redis.read_timeout_ms / 1000)


def make_scenarios(settings: Settings, shared: Shared) -> dict[str, Scenario]:
    """A read path for each scenario, and the default one.

    Raises:
        SetupInvalid: the file of scenarios is wrong.
    """
    all_settings = {DEFAULT: settings.pipeline, **load_scenarios(settings.pipeline)}
    gap_s = settings.sessions.gap_s
    return {
        name: Scenario(its, make_pipeline(its, gap_s, shared)) for name, its in all_settings.items()
    }


def make_pipeline(its: PipelineSettings, gap_s: float, shared: Shared) -> Pipeline:
    """The read path with the stages, rules and rungs of these settings."""
    rules, popular = Filter(_rules(its)), Popular()
    return Pipeline(
        releases=shared.releases,
        clock=shared.clock,
        identify=shared.lookup.identify,
        lookup=shared.lookup,
        page=shared.page,
        segment=Segmenter(its.sparse_below, its.power_from, its.stale_after_s, gap_s),
        retrieve=Retrieve(its.overfetch, _blend(its, popular)),
        filter=rules,
        fill=Fill((Content(), Trending(shared.trends), popular), rules),
        explore=Explore(its.explore_share),
        sponsor=Sponsor(its.sponsored_most, rules),
        diversify=Diversify(its.category_share, its.seller_top10, its.again_share, its.spread),
    )


def _blend(its: PipelineSettings, popular: Rung) -> Blend:
    return Blend(popular, its.sparse_below, its.sparse_popular_weight, its.stale_popular_weight)


def _rules(its: PipelineSettings) -> tuple[Rule, ...]:
    return (
        InStock(),
        Policy(),
        Matches(),
        NotExcluded(),
        NotDisliked(),
        NotPurchased(its.purchase_cooldown_s),
        NotSeen(its.seen_window_s),
        NotShown(),
    )
