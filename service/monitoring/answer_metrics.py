"""Metrics of what is answered: signal, release, lists."""

from service.domain.actions import EVENT_TYPES
from service.domain.events import EventOutcome
from service.domain.identity import LinkOutcome
from service.domain.searches import Route
from service.domain.sessions import Segment
from service.domain.sources import SOURCE_WORDS
from service.monitoring.spec import (
    AGE_BUCKETS,
    DEGRADED,
    OPEN,
    OTHER,
    RATIO_BUCKETS,
    REFUSALS,
    RULES,
    Spec,
)

_SEGMENTS = {"segment": tuple(Segment)}

SIGNAL = (
    Spec(
        "histogram",
        "retrieval_feature_age_seconds",
        "Age of the newest action that a list was made from.",
        "Median above an hour: events do not arrive.",
        {"group": ("session",)},
        AGE_BUCKETS,
    ),
    Spec(
        "histogram",
        "retrieval_feature_fill_ratio",
        "Share of the tower's history that was filled.",
        "Falling for casual and power: events are lost, or their items unknown to the release.",
        _SEGMENTS,
        RATIO_BUCKETS,
    ),
    Spec(
        "counter",
        "retrieval_identity_total",
        "Lists by who asked: an account (named, or linked), an unlinked anonymous id, nobody.",
        "resolved falling: the login state, or the links, no longer reach us.",
        {"result": ("resolved", "anonymous", "none")},
    ),
    Spec(
        "histogram",
        "retrieval_identity_ids",
        "Ids whose histories made up one person.",
        "Falling to 1: links are no longer made. At the limit: raise sessions.ids_kept.",
        buckets=(1, 2, 3, 4, 6, 9, 17),
    ),
    Spec(
        "counter",
        "retrieval_identity_fragmented_total",
        "Lists made without the history of some linked id.",
        "Redis is slow, or a node of the cluster is down.",
    ),
    Spec(
        "counter",
        "retrieval_identity_links_total",
        "Links asked for or undone, by what became of them.",
        "conflict rising: devices that several people use, or a caller that mixes up ids.",
        {"outcome": tuple(LinkOutcome)},
    ),
    Spec(
        "counter",
        "retrieval_events_total",
        "Events by what became of them.",
        "invalid, late, future rising: a sender or its clock is broken. dropped: Redis.",
        {"type": (*EVENT_TYPES, OTHER), "outcome": tuple(EventOutcome)},
    ),
    Spec(
        "histogram",
        "retrieval_event_lag_seconds",
        "Time from an event to its storage.",
        "Minutes: senders batch or queue too long for live signals.",
        buckets=AGE_BUCKETS,
    ),
    Spec(
        "gauge",
        "retrieval_events_waiting",
        "Events that wait for Redis to come back.",
        "At limits.events_waiting: more are refused with 503.",
        mode="livesum",
    ),
)

RELEASE = (
    Spec(
        "gauge",
        "retrieval_release_info",
        "1 for the live release, 0 for former ones.",
        "Two with 1 for long: a roll-out hangs.",
        {"release": OPEN, "embedding_version": OPEN},
    ),
    Spec(
        "gauge",
        "retrieval_item_embeddings_timestamp_seconds",
        "Instant up to which item vectors know the world.",
        "Older than a day: run models refresh.",
        mode="livemin",
    ),
    Spec(
        "gauge",
        "retrieval_training_data_timestamp_seconds",
        "Newest event that the towers were trained on.",
        "Old: train again.",
        mode="livemin",
    ),
    Spec(
        "gauge",
        "retrieval_release_loaded_timestamp_seconds",
        "When the live release went live.",
        "Compare with the publication time.",
        mode="livemin",
    ),
    Spec(
        "counter",
        "retrieval_release_swaps_total",
        "Releases that went live (ok) or were refused, with the reason.",
        "rejected: `sightline release verify PATH` says why.",
        {"outcome": ("ok", "rejected"), "reason": ("none", *REFUSALS, OTHER)},
    ),
    Spec(
        "gauge",
        "retrieval_index_items",
        "Items of the live release, and those that arrived on top of it.",
        "A fall of live from one release to the next: part of the catalogue is missing. arrived "
        "near 10,000: publish a release that contains them.",
        {"state": ("live", "arrived")},
        mode="livemin",
    ),
)

LISTS = (
    Spec(
        "counter",
        "retrieval_responses_total",
        "Lists by segment, source of the first item, and first reason for being degraded.",
        "Share of degraded above 5 %: the reason names the part.",
        {"segment": tuple(Segment), "source": (*SOURCE_WORDS, "none"), "degraded": DEGRADED},
        is_lazy=True,
    ),
    Spec(
        "histogram",
        "retrieval_candidates_returned",
        "Items in a list.",
        "Low: see filtered_items and responses with degraded short.",
        buckets=(0, 1, 10, 25, 50, 100, 200, 500, 1000),
    ),
    Spec(
        "counter",
        "retrieval_empty_results_total",
        "Lists without a single item.",
        "Any: filters that nothing passes, or a catalogue that is sold out.",
        _SEGMENTS,
    ),
    Spec(
        "counter",
        "retrieval_searches_total",
        "Searches for the nearest items by the way taken, at first or after the graph fell short.",
        "Share of second tries above 5 %: filters go against tastes, and cost two searches.",
        {"route": tuple(Route), "attempt": ("first", "second")},
    ),
    Spec(
        "counter",
        "retrieval_candidates_total",
        "Items shown, by source.",
        "popular rising: fewer people are known, or a part is down.",
        {"source": SOURCE_WORDS},
    ),
    Spec(
        "counter",
        "retrieval_filtered_items_total",
        "Candidates that a rule removed.",
        "stock jumping: a stock feed marked the catalogue sold out.",
        {"rule": RULES},
    ),
    Spec(
        "histogram",
        "retrieval_filtered_ratio",
        "Share of a list's candidates that rules removed: removed / (removed + shown).",
        "Median above 0.5: raise pipeline.overfetch.",
        buckets=RATIO_BUCKETS,
    ),
    Spec(
        "counter",
        "retrieval_thinned_lists_total",
        "Lists of whose twenty best candidates the rules removed more than half.",
        "Above 5 %: what is recommended first cannot be sold; see filtered_items for the rule.",
    ),
    Spec(
        "counter",
        "retrieval_log_dropped_total",
        "Lines of the impression log that were lost.",
        "Any: the disk is full, slow, or not writable; off-policy estimates lose lists.",
    ),
    Spec(
        "counter",
        "retrieval_policy_violations_total",
        "Shown items that must not be shown, found by a second look at the finished list.",
        "Any: a defect in a rule.",
        {"rule": ("stock", "policy")},
    ),
    Spec(
        "histogram",
        "retrieval_category_top_share_ratio",
        "Share of the largest category in a list.",
        "Above pipeline.category_share: too few candidates of other categories.",
        buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0),
    ),
    Spec(
        "histogram",
        "retrieval_seller_top10_items",
        "Most items of one seller among the first ten.",
        "Above pipeline.seller_top10: too few candidates of other sellers.",
        buckets=(1, 2, 3, 4, 5, 10),
    ),
    Spec(
        "counter",
        "retrieval_slots_total",
        "Places by kind.",
        "explore far from pipeline.explore_share: too few little-known items in reach.",
        {"kind": ("exploit", "explore")},
    ),
)

ANSWERS: tuple[Spec, ...] = (*SIGNAL, *RELEASE, *LISTS)
