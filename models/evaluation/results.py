"""What an evaluation found, as values that turn into JSON as they are."""

from dataclasses import asdict, dataclass, field

from models.evaluation.metrics import Estimate

Measures = dict[str, Estimate]
"""Estimate by measure, e.g. `recall@50`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One method on one target.

    Attributes:
        information: what it knew of the user: nothing, the last n events, or all history.
        fresh: whether other people's events up to the midnight before each case were used.
        chosen: variant and weights that the validation slice chose.
        coverage, gini: of the first 50 places of all lists.
        segments: the measures by segment.
    """

    name: str
    information: str
    fresh: bool
    chosen: str
    measures: Measures
    coverage: float
    gini: float
    segments: dict[str, Measures]

    @property
    def recall(self) -> float:
        return self.measures["recall@50"].value


@dataclass(frozen=True, slots=True)
class Difference:
    """A row minus another one on the same cases, with paired intervals."""

    name: str
    against: str
    why: str
    measures: Measures


@dataclass(frozen=True, slots=True)
class Target:
    """All rows of one target.

    Attributes:
        cases, users: how many; targets_per_case: mean number of targets.
        segment_cases: cases by segment.
    """

    name: str
    cases: int
    users: int
    targets_per_case: float
    segment_cases: dict[str, int]
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveStep:
    """How well the rest of an order is found after some of its lines were shown."""

    shown: int
    cases: int
    measures: Measures
    gain: Measures


@dataclass(frozen=True, slots=True)
class Unseen:
    """How well items without any event before the split are found.

    Attributes:
        overall: Recall@50 in the full catalogue; among: Recall@10 and @50 among such items only.
    """

    name: str
    fresh: bool
    overall: Estimate
    among: Measures


@dataclass(frozen=True, slots=True)
class UnseenItems:
    items: int
    cases: int
    rows: tuple[Unseen, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One run on one log.

    Attributes:
        split_s, validation_s: epoch seconds where the test and the validation period begin.
        again_weight: weight of the user's own items beside the cosine, chosen on validation; None
            without towers.
        command: what printed it.
    """

    log: str
    events: int
    users: int
    items: int
    split_s: int
    validation_s: int
    seed: int
    history_length: int
    towers: str
    targets: tuple[Target, ...]
    again_weight: float | None = None
    live: tuple[LiveStep, ...] = ()
    unseen: UnseenItems | None = None
    command: str = ""
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, object]:
        return asdict(self)
