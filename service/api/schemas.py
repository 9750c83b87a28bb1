"""What callers send; validated strictly, unknown fields refused."""

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from service.api.instants import parse_instant

TIMEOUT_MS_MAX = 1000.0

Id = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\p{Cc}]*$")]
"""1 to 256 characters of UTF-8 without control characters."""
Word = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\p{Cc}]*$")]
Text = Annotated[str, Field(max_length=256, pattern=r"^[^\p{Cc}]*$")]
Ids = Annotated[list[Id], Field(max_length=500)]
K = Annotated[int, Field(ge=1, le=500)]
TimeoutMs = Annotated[float, Field(ge=1, le=TIMEOUT_MS_MAX)]
Words = Annotated[list[Text], Field(max_length=100)]
Instant = Annotated[
    float,
    PlainValidator(parse_instant),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number"}, {"type": "string", "format": "date-time"}],
            "description": "Epoch seconds, epoch milliseconds, or ISO 8601 with a time zone.",
        }
    ),
]
ActionWord = Literal["purchase", "add_to_cart", "click", "view", "return", "dislike"]
EventWord = Literal["impression", "purchase", "add_to_cart", "click", "view", "return", "dislike"]


def _share(value: object) -> object:
    """False is no exploration."""
    if value is True:
        raise PydanticCustomError("share", "must be a share from 0 to 1, or false")
    return 0.0 if value is False else value


Share = Annotated[
    float,
    BeforeValidator(_share),
    Field(ge=0, le=1),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"const": False}]}),
]


class Wire(BaseModel):
    """Base of everything that is received."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _spelled_out(value: object) -> object:
    """The short forms: a list is `any`, true and false are `is`."""
    if isinstance(value, bool):
        return {"is": value}
    return {"any": value} if isinstance(value, list) else value


class ConditionBody(Wire):
    """What one attribute has to be.

    Words (`any`, `none`) for categories and tags, a range for numbers (both ends belong to it,
    unknown numbers never match), `is` for flags. A list alone is `any`, true or false alone `is`.
    """

    any: Words = []
    none: Words = []
    min: float | None = None
    max: float | None = None
    is_: Annotated[bool | None, Field(alias="is")] = None


ConditionOf = Annotated[
    ConditionBody,
    BeforeValidator(_spelled_out, json_schema_input_type=ConditionBody | list[str] | bool),
]
FiltersBody = Annotated[
    dict[Word, ConditionOf],
    Field(
        max_length=20,
        description="Conditions by attribute, joined by *and*; the release declares the attributes",
    ),
]


class RecentAction(Wire):
    """Something the person did, brought along instead of stored."""

    item_id: Id
    event_type: ActionWord
    timestamp: Instant | None = None
    """Now, when absent."""
    value: float | None = None


class RecommendBody(Wire):
    """A request for candidates."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"user_id": "17850", "k": 10},
                {
                    "anonymous_id": "d-7f3a",
                    "k": 10,
                    "recent_actions": [{"item_id": "85123A", "event_type": "view"}],
                    "context": {"country": "France"},
                    "filters": {"price": {"max": 20}},
                },
            ]
        }
    )

    user_id: Id | None = None
    anonymous_id: Id | None = None
    session_id: Id | None = None
    k: K = 20
    scenario: Word = "default"
    context: Annotated[dict[Word, Text], Field(max_length=50, default_factory=dict)]
    recent_actions: Annotated[list[RecentAction], Field(max_length=50, default_factory=list)]
    exclude_item_ids: Annotated[Ids, Field(default_factory=list)]
    recommendation_id: Id | None = None
    """The list that this one continues."""
    sponsored_item_ids: Annotated[list[Id], Field(max_length=50, default_factory=list)]
    exclude_seen: bool = False
    exclude_purchased: bool | None = None
    filters: FiltersBody | None = None
    explore: Share | None = None
    strict: bool = False
    explain: bool = False
    timeout_ms: TimeoutMs | None = None
    experiment: Word | None = None


class BatchBody(Wire):
    """Several requests, answered in their order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"requests": [{"user_id": "17850", "k": 5}, {"user_id": "13047", "k": 5}]}]
        }
    )

    requests: Annotated[list[RecommendBody], Field(min_length=1, max_length=100)]


class RecommendQuery(BaseModel):
    """The query string of GET /v1/recommend/{user_id}."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    user_id: Id
    k: K = 20
    scenario: Word = "default"
    country: Text | None = None
    exclude_seen: bool = False
    exclude_purchased: bool | None = None
    explore: Annotated[float, Field(ge=0, le=1)] | None = None
    strict: bool = False
    explain: bool = False
    timeout_ms: TimeoutMs | None = None


class SimilarBody(Wire):
    """A request for items like an item."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"item_id": "85123A", "k": 10}]})

    item_id: Id
    k: K = 20
    exclude_item_ids: Annotated[Ids, Field(default_factory=list)]
    filters: FiltersBody | None = None
    strict: bool = False
    explain: bool = False
    timeout_ms: TimeoutMs | None = None


class EventBody(Wire):
    """One thing one person did to one item; one of user_id and anonymous_id is needed."""

    event_id: Id
    event_type: EventWord
    user_id: Id | None = None
    anonymous_id: Id | None = None
    session_id: Id | None = None
    item_id: Id
    timestamp: Instant | None = None
    """Now, when absent."""
    value: float | None = None
    country: Word | None = None
    recommendation_id: Id | None = None
    rank: Annotated[int, Field(ge=1, le=500)] | None = None


class EventsEnvelope(Wire):
    """A batch as it is read first: what is in it is judged event by event."""

    events: Annotated[list[object], Field(min_length=1, max_length=500)]


class EventsBody(Wire):
    """A batch of events, as documented."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "events": [
                        {
                            "event_id": "e-1",
                            "event_type": "add_to_cart",
                            "user_id": "17850",
                            "item_id": "85123A",
                        }
                    ]
                }
            ]
        }
    )

    events: Annotated[list[EventBody], Field(min_length=1, max_length=500)]
