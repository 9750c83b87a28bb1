"""What was asked (request), and what it becomes once the person is known (query)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.arrays import NO_HASHES, Hashes, Rows
from service.domain.deadlines import Deadline
from service.domain.sessions import EMPTY_SESSION, Segment, Session


@dataclass(frozen=True, slots=True)
class Filters:
    """Attribute filters of a request; an empty tuple or None means no condition."""

    categories: tuple[str, ...] = ()
    sellers: tuple[str, ...] = ()
    price_min: float | None = None
    price_max: float | None = None

    @property
    def is_empty(self) -> bool:
        return self == NO_FILTERS


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Request:
    """A validated request for candidates.

    Attributes:
        k: items wanted, 1 to 500.
        recent_actions: actions that the caller brings along instead of storing them, oldest first.
        exclude_purchased: True drops everything ever bought, False nothing; None drops what was
            bought within the cool-down, or everything where the release says that repeats make
            no sense.
        continues: the recommendation_id of the list that this one is the next page of.
        sponsored_item_ids: what an ad server wants shown, best paid first.
        explore: None leaves the share of explored slots to the settings, 0.0 switches it off.
        timeout_ms: time for the whole answer.
    """

    k: int = 20
    user_id: str | None = None
    anonymous_id: str | None = None
    session_id: str | None = None
    scenario: str = "default"
    context: Mapping[str, str] = field(default_factory=dict)
    recent_actions: Session = EMPTY_SESSION
    exclude_item_ids: tuple[str, ...] = ()
    continues: str | None = None
    sponsored_item_ids: tuple[str, ...] = ()
    exclude_seen: bool = False
    exclude_purchased: bool | None = None
    filters: Filters = NO_FILTERS
    explore: float | None = None
    strict: bool = False
    explain: bool = False
    timeout_ms: float = 50.0
    experiment: str | None = None


@dataclass(frozen=True, slots=True)
class SimilarRequest:
    """A validated request for items like an item."""

    item_id: str
    k: int = 20
    exclude_item_ids: tuple[str, ...] = ()
    filters: Filters = NO_FILTERS
    strict: bool = False
    explain: bool = False
    timeout_ms: float = 50.0


@dataclass(frozen=True, slots=True)
class Query:
    """A request together with what is known of the person.

    Attributes:
        user: key of the person, None when the request names nobody.
        rows: catalogue rows of the session's actions, int64 [n]; -1 where unknown.
        now_s: epoch seconds at which the request arrived.
        session_actions: actions of the visit that goes on now.
        shown: hashes of what the pages before this one have shown, uint64 [n].
    """

    request: Request
    user: str | None
    session: Session
    rows: Rows
    segment: Segment
    deadline: Deadline
    now_s: float
    session_actions: int = 0
    shown: Hashes = field(default_factory=lambda: NO_HASHES)
