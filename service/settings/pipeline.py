"""Settings of the read path: how candidates are found, filtered and ordered."""

from pathlib import Path
from typing import Self

from pydantic import model_validator

from service.domain.popularity import SPARSE_WEIGHT, STALE_WEIGHT
from service.settings.base import Slice, key


class PipelineSettings(Slice):
    """How candidates are found, filtered and ordered."""

    overfetch: float = key(3.0, "times k", "Neighbours fetched for each item wanted.", ge=1, le=20)
    sparse_below: int = key(5, "interactions", "Below this a person counts as sparse.", ge=1, le=10)
    power_from: int = key(50, "interactions", "From this on somebody is power.", ge=2, le=10_000)
    stale_after_s: int = key(
        90 * 86_400, "s", "A person silent for longer counts as stale.", ge=3600, le=10 * 31_536_000
    )
    sparse_popular_weight: float = key(
        SPARSE_WEIGHT,
        "weight",
        "Weight of popularity before any action; 0 at sparse_below.",
        ge=0,
        le=10,
    )
    stale_popular_weight: float = key(
        STALE_WEIGHT, "weight", "Weight of popularity for stale people.", ge=0, le=10
    )
    timeout_ms: float = key(
        50.0, "ms", "Time for an answer when the request names none.", ge=2, le=1000
    )
    purchase_cooldown_s: int = key(
        86_400, "s", "How long a bought item stays away where repeats make sense.", ge=0
    )
    seen_window_s: int = key(604_800, "s", "How far back exclude_seen looks.", ge=0)
    explore_share: float = key(0.05, "share", "Share of explored slots.", ge=0, le=0.2)
    category_share: float = key(0.4, "share", "Largest share of one category.", gt=0, le=1)
    seller_top10: int = key(3, "items", "Most items of one seller in the top 10.", ge=1, le=10)
    spread: float = key(
        0.1, "weight", "Weight of being unlike the items above, in a list.", ge=0, le=1
    )
    sponsored_most: int = key(2, "items", "Most sponsored items in a list.", ge=0, le=10)
    again_share: float = key(0.5, "share", "Largest share of the person's own items.", ge=0, le=1)

    scenarios: Path | None = key(
        None, "file", "TOML file of scenarios: a table each, with keys of this section."
    )

    @model_validator(mode="after")
    def _segments_fit(self) -> Self:
        if self.power_from <= self.sparse_below:
            raise ValueError("power_from must be above sparse_below")
        return self


class Impressions(Slice):
    """The log of what was shown, for off-policy evaluation; it names no person."""

    folder: Path | None = key(
        None, "folder", "Where it is written; unset is impressions/ in redis.var_dir."
    )
    share: float = key(1.0, "share", "Share of lists that are logged; 0 is off.", ge=0, le=1)
    file_bytes: int = key(2**26, "bytes", "Size at which a new file begins.", ge=2**16)
    total_bytes: int = key(2**28, "bytes", "Size of all files; the oldest give way.", ge=2**17)

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.total_bytes < 2 * self.file_bytes:
            raise ValueError("total_bytes must be at least twice file_bytes")
        return self
