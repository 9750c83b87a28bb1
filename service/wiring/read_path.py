"""The read path with its stages, rules and rungs."""

from service.fallback.content import Content
from service.fallback.popular import Popular
from service.fallback.trending import Trending
from service.pipeline import Pipeline
from service.ports.serving import Clock, Releases, Rule
from service.ports.stores import SessionStore
from service.rules.disliked import NotDisliked
from service.rules.excluded import NotExcluded
from service.rules.filters import Matches
from service.rules.policy import Policy
from service.rules.purchased import NotPurchased
from service.rules.seen import NotSeen
from service.rules.stock import InStock
from service.settings.pipeline import PipelineSettings
from service.settings.tree import Settings
from service.stages.diversify import Diversify
from service.stages.explore import Explore
from service.stages.fill import Fill
from service.stages.filter import Filter
from service.stages.identify import Identify
from service.stages.lookup import Lookup
from service.stages.retrieve import Retrieve
from service.stages.segment import Segmenter


def make_pipeline(
    settings: Settings, releases: Releases, sessions: SessionStore, clock: Clock
) -> Pipeline:
    """The read path with the stages, rules and rungs of these settings."""
    its = settings.pipeline
    rules, popular = Filter(_rules(its)), Popular()
    identify = Identify(settings.sessions.links_remembered)
    gap_s = settings.sessions.gap_s
    return Pipeline(
        releases=releases,
        clock=clock,
        identify=identify,
        lookup=Lookup(sessions, settings.redis.read_timeout_ms / 1000, identify),
        segment=Segmenter(its.sparse_below, its.power_from, its.stale_after_s, gap_s),
        retrieve=Retrieve(its.overfetch, popular, its.stale_popular_share),
        filter=rules,
        fill=Fill((Content(), Trending(), popular), rules),
        explore=Explore(its.explore_share),
        diversify=Diversify(its.category_share, its.seller_top10, its.again_share),
    )


def _rules(its: PipelineSettings) -> tuple[Rule, ...]:
    return (
        InStock(),
        Policy(),
        Matches(),
        NotExcluded(),
        NotDisliked(),
        NotPurchased(its.purchase_cooldown_s),
        NotSeen(its.seen_window_s),
    )
