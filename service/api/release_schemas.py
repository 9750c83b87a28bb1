"""What operators send about releases, and what they are told, as documented."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.api.answers import Answer


class Options(BaseModel):
    """Base of the bodies; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class NoBody(Options):
    """Nothing can be chosen."""


class ActivateBody(Options):
    """How a release goes live."""

    force: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = Field(
        default="",
        description="Why it goes live although it lost quality; kept in the history.",
        examples=["category renamed, the old metric counts the wrong one"],
    )


class ReleaseAnswer(Answer):
    """One release that this service has met."""

    name: str
    state: Literal["loading", "staged", "live", "previous", "refused"]
    reason: str | None = Field(description="Short code: why it was refused.")
    detail: str | None = Field(description="The same as a sentence, with the fix.")
    embedding_version: str | None
    items: int | None
    trained_through: str | float | None = Field(description="Newest event that the weights saw.")
    as_of: str | float | None = Field(description="Instant of the counts behind the item vectors.")


class HistoryAnswer(Answer):
    """Something that was done to a release."""

    at_s: float = Field(description="Epoch seconds.")
    release: str
    action: str = Field(description="load, activate, rollback, start, follow or reload.")
    by: str = Field(description="Who asked.")
    outcome: str = Field(description="live, staged or refused.")
    reason: str = Field(description="Code of a refusal, or why it was forced.")
    detail: str


class ReleasesAnswer(Answer):
    """Releases, oldest first, and what was done to them, newest first."""

    live: str | None
    releases: list[ReleaseAnswer]
    history: list[HistoryAnswer]


class MeanAnswer(Answer):
    """A mean over requests, and how far it may be off."""

    mean: float | None
    standard_error: float | None = Field(description="The true mean is within twice this.")


class BothAnswer(Answer):
    """Live and staged, side by side."""

    live: float | None
    staged: float | None


class SegmentShadowAnswer(Answer):
    """The requests of one segment."""

    requests: int = Field(ge=0)
    overlap_at_k: MeanAnswer = Field(description="Share of the list that both have.")
    overlap_at_10: MeanAnswer
    degraded: BothAnswer = Field(description="Share of the lists.")
    empty: BothAnswer = Field(description="Share of the lists.")


class ScoreAnswer(BothAnswer):
    """Mean score of the near items; two trainings need not have the same scale."""

    difference: MeanAnswer


class QuantilesAnswer(Answer):
    """Of the last 10,000 requests."""

    p50: float | None
    p95: float | None
    p99: float | None


class LatencyAnswer(Answer):
    """Time in the read path, without the HTTP edge."""

    live: QuantilesAnswer
    staged: QuantilesAnswer


class ShadowAnswer(SegmentShadowAnswer):
    """What a staged release would have answered, beside what was answered."""

    release: str
    since_s: float = Field(description="Epoch seconds at which it was staged.")
    against: dict[str, int] = Field(description="Requests by the release that answered them.")
    requests_needed: int | None = Field(
        description="So many give the overlap to +/- 0.01, 95 times in 100."
    )
    overlap_distribution: dict[str, int] = Field(description="Requests by overlap, in tenths.")
    score: ScoreAnswer
    latency_ms: LatencyAnswer
    segments: dict[str, SegmentShadowAnswer]
    failed: int = Field(ge=0, description="Replays that raised an error.")
    dropped: int = Field(ge=0, description="Drawn, and not replayed for lack of time.")
