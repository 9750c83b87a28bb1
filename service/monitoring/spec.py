"""How a metric is declared, and the closed sets of label values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Labels = tuple[str, ...]
Mode = Literal["livesum", "livemax", "livemin"]
OTHER = "other"
"""Stands for every label value that is not in the closed set."""
UNMATCHED = "__other__"
"""The route of requests that match none."""
OPEN: tuple[str, ...] = ()
"""Marks a label whose values come from releases; few, and kept few by the recorder."""

ROUTES = (
    "/v1/recommend",
    "/v1/recommend/{user_id}",
    "/v1/recommend/batch",
    "/v1/similar",
    "/v1/events",
    "/v1/items",
    "/v1/items/{item_id}",
    "/v1/users/{user_id}",
    "/v1/users/{user_id}/interests",
    "/v1/identities/link",
    "/v1/releases",
    "/v1/releases/{name}:load",
    "/v1/releases/{name}:activate",
    "/v1/releases/{name}:rollback",
    "/v1/releases/{name}/shadow",
    UNMATCHED,
)
"""Routes that are counted; health, documentation and scrapes are not, they would drown the rest."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "_OTHER")
CODES = (
    *("200", "400", "401", "403", "404", "405", "408", "409", "413", "414", "415", "422"),
    *("429", "431", "499", "500", "503", OTHER),
)
STAGES = (
    *("parse", "identify", "lookup", "page", "segment", "embed", "retrieve", "filter", "fill"),
    *("explore", "sponsor", "diversify", "truncate", "encode"),
)
DEGRADED = (
    *("none", "identity", "session", "tower", "index", "deadline", "short", "filter", "fill"),
    *("explore", "sponsor", "page", "diversify", OTHER),
)
SEARCHES = ("graph", "blocks", "sweep", "gather", "nothing")
SEGMENTS = ("new", "sparse", "casual", "power", "guest", "stale")
LINKS = ("linked", "already", "conflict", "unlinked", "absent")
INVALID_VECTORS = ("nan", "inf", "zero", "norm", "dim")
RULES = ("stock", "policy", "excluded", "purchased", "seen", "disliked", "filters", "shown", OTHER)
REDIS_OPS = (
    *("read", "record", "identity", "item_read", "item_write", "page_read", "page_write"),
    *("trend_read", "trend_write", "health", OTHER),
)
REDIS_OUTCOMES = (
    *("ok", "miss", "timeout", "refused", "pool_exhausted", "wrongtype", "corrupt", "readonly"),
    *("oom", "moved", "auth", "circuit_open", OTHER),
)
PHASES = ("fetch", "load", "warm", "flip", "drain", OTHER)
MOUNTS = ("releases", "metrics", "state")
REJECTIONS = (
    *("malformed", "field", "not_found", "method", "timeout", "conflict", "body_size", "uri_size"),
    *("media_type", "header_size", "rate", "auth", "busy", "refused", OTHER),
)

REQUEST_BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1),
    *(0.15, 0.25, 0.5, 1.0, 2.5),
)
STAGE_BUCKETS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03),
    *(0.05, 0.1, 0.25),
)
REDIS_BUCKETS = (*(0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1),)
AGE_BUCKETS = (1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400, 172_800, 604_800)
SWAP_BUCKETS = (0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
RATIO_BUCKETS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Spec:
    """The declaration of one metric.

    Attributes:
        labels: label -> its closed set of values.
        is_lazy: a combination appears when it first occurs, a gauge when it is first set.
        mode: how the gauges of several processes are combined; only living ones count.
    """

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    meaning: str
    advice: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()
    is_lazy: bool = False
    mode: Mode = "livemax"
