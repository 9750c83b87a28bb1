"""What callers receive, as documented; never built on the way out, compared by tests instead."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SourceWord = Literal["ann", "again", "content", "trending", "popular", "exploration", "sponsored"]
SegmentWord = Literal["new", "sparse", "casual", "power", "guest", "stale"]
DegradedWord = Literal[
    "identity",
    "session",
    "tower",
    "index",
    "deadline",
    "short",
    "filter",
    "fill",
    "explore",
    "sponsor",
    "page",
    "diversify",
]


class Answer(BaseModel):
    """Base of everything that is sent."""

    model_config = ConfigDict(extra="forbid")


class Item(Answer):
    """One recommended item."""

    item_id: str
    score: float | None = Field(description="Comparable within one answer and source only.")
    rank: int = Field(ge=1)
    source: SourceWord
    reasons: list[str]
    propensity: float | None = Field(
        ge=0, le=1, description="Chance of the draw that placed an explored item."
    )
    sponsored: bool


class Degraded(Answer):
    """Whether the answer is less than it could be, and why."""

    is_degraded: bool
    reasons: list[DegradedWord]


class Versions(Answer):
    """What the answer was made from."""

    release: str
    embedding: str


class Signal(Answer):
    """What was known of the person."""

    actions: int = Field(ge=0, description="Actions that the vector was made from.")
    age_s: float | None = Field(ge=0, description="Seconds since the newest action.")
    session_actions: int = Field(ge=0, description="Actions of the visit that goes on now.")


class ListAnswer(Answer):
    """A list of items, best first, and how it was made."""

    recommendation_id: str
    items: list[Item]
    requested: int
    count: int
    segment: SegmentWord
    degraded: Degraded
    versions: Versions
    signal: Signal
    rules: dict[str, int] = Field(description="How many candidates each rule removed.")
    is_thinned: bool = Field(
        description="Whether rules removed more than half of the twenty best candidates."
    )
    missing_ids: list[str] = Field(description="Ids in the request that no item has.")
    timing_ms: dict[str, float] = Field(description="total, and each stage by its name.")
    explain: dict[str, object] | None = Field(
        default=None, description="Only where the request asked to explain."
    )


class BatchAnswer(Answer):
    """One list for each request, in the same order."""

    answers: list[ListAnswer]


class RejectedEvent(Answer):
    """An event that will never be stored."""

    index: int = Field(ge=0)
    code: Literal["invalid", "late", "future", "timestamp_ambiguous", "timestamp_invalid"]
    detail: str


class EventsAnswer(Answer):
    """accepted + duplicates + rejected = events sent."""

    accepted: int = Field(ge=0)
    duplicates: int = Field(ge=0)
    rejected: list[RejectedEvent]


class ItemAnswer(Answer):
    """What was changed; `is_known` tells whether the item is served."""

    item_id: str
    stock: int | None = Field(default=None, description="Only where it was sent; so are others.")
    price: float | None = None
    is_blocked: bool | None = None
    attributes: dict[str, str | bool | float | list[str]] | None = None
    is_known: bool


class NewItemAnswer(Answer):
    """One item that was sent."""

    item_id: str
    is_retrievable: bool = Field(
        description="False: kept, and served by the first release that has a vector for it."
    )


class NewItemsAnswer(Answer):
    """What became of each item, in the order in which they were sent."""

    items: list[NewItemAnswer]


class InterestsAnswer(Answer):
    """What was taken over, as categories; and what the live release does not know."""

    user_id: str
    interests: list[str]
    unknown: list[str]


class ForgetAnswer(Answer):
    """How many ids, linked ones included, nothing is kept of any more."""

    user_id: str
    ids_forgotten: int = Field(ge=1)


class LinkAnswer(Answer):
    """What became of each anonymous id."""

    user_id: str
    outcomes: dict[str, Literal["linked", "already", "unlinked", "absent"]]


class ReadyAnswer(Answer):
    """The service can answer."""

    status: Literal["ready"]
    release: str
    redis: Literal["up", "down"]
    probed_at_s: float | None = Field(
        description="When this process asked its release the golden probes again; epoch seconds."
    )
    mismatch: str | None = Field(description="What they found wrong; it changes no status.")


class FieldError(Answer):
    """One field that is wrong."""

    field: str = Field(description="Dotted path, `body` for the whole.")
    detail: str


class ProblemAnswer(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    request_id: str | None = None
    errors: list[FieldError] | None = None
