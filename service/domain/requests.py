"""What was asked (request), and what it becomes once the person is known (query)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from service.domain.arrays import NO_HASHES, Hashes, Rows
from service.domain.deadlines import Deadline
from service.domain.sessions import EMPTY_SESSION, Segment, Session


@dataclass(frozen=True, slots=True)
class Condition:
    """What one attribute of an item has to be; its parts are joined by *and*.

    Attributes:
        any_of: at least one of these words; empty means no condition.
        none_of: none of these words.
        at_least: lowest number, itself included; an unknown number is never in range.
        at_most: highest number, itself included.
        is_set: for flags.
    """

    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    is_set: bool | None = None

    def canonical(self) -> "Condition":
        """The same condition, written the one way in which equal conditions are equal."""
        any_of, none_of = sorted(set(self.any_of)), sorted(set(self.none_of))
        return replace(self, any_of=tuple(any_of), none_of=tuple(none_of))


NO_CONDITION = Condition()


@dataclass(frozen=True, slots=True)
class Filters:
    """Attribute filters of a request, joined by *and*; make them with `of`.

    Attributes:
        conditions: (attribute, condition) pairs by attribute, each attribute once. Filters that
            mean the same are equal, so they are the key of what is computed from them.
    """

    conditions: tuple[tuple[str, Condition], ...] = ()

    @classmethod
    def of(cls, conditions: Mapping[str, Condition]) -> "Filters":
        """Filters from conditions by attribute; empty conditions are left out."""
        written = {name: condition.canonical() for name, condition in conditions.items()}
        return cls(tuple(sorted((n, c) for n, c in written.items() if c != NO_CONDITION)))

    @property
    def is_empty(self) -> bool:
        return not self.conditions

    def mentions(self, attribute: str) -> bool:
        """Whether there is a condition on an attribute."""
        return any(name == attribute for name, _ in self.conditions)

    def words(self, attribute: str) -> tuple[str, ...]:
        """The words that were asked for of one attribute; empty where all will do."""
        return dict(self.conditions).get(attribute, NO_CONDITION).any_of


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
