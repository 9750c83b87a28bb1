"""Datasets and recipes: what a log means, and every number that training depends on."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from math import inf
from pathlib import Path

from models.errors import RecipeInvalid
from service.domain.actions import ACTIONS

DATASETS = Path(__file__).parent / "datasets"
ENCODERS = ("mean", "attention", "gru", "transformer")
NEGATIVES = ("seen_by_batch", "seen_in_training")
SOFTMAXES = ("auto", "full", "sampled")
ID_STARTS = ("svd", "random")
CHOICES = {
    "encoder": ENCODERS,
    "negatives": NEGATIVES,
    "softmax": SOFTMAXES,
    "id_start": ID_STARTS,
}
LOWEST_TEMPERATURE = 0.03
"""Below, exponentials of logits between -1/t and 1/t underflow in float32."""

POSITIVE = (
    *("dim", "history_length", "temperature", "learning_rate", "epochs", "batch_size"),
    *("bucket_days", "half_life_days", "id_factor", "hidden", "full_softmax_max_items"),
    *("sampled_negatives", "popularity_power", "threads"),
)
NATURAL = ("item_to_item", "following_orders", "targets_power", "seed")
SHARES = ("id_dropout", "type_dropout", "half_order_share", "warm_up_share")


@dataclass(frozen=True, slots=True)
class Recipe:
    """All hyper-parameters of training; the defaults are those searched on `online-retail`.

    Attributes:
        dim: length of the vectors; see `models.check.advised_dim`.
        history_length: newest actions that the user tower sees.
        temperature: logits are dot products of unit vectors divided by this.
        bucket_days: batches never mix time buckets of this length; counts are as of its start.
        half_life_days: an example this old weighs half.
        targets_power: an example with n targets weighs n to this power.
        following_orders: later orders in the target, with weights 1/2, 1/4, 1/8, ...
        item_to_item: weight of the loss that predicts an order from one of its items.
        id_dropout: share of items per step whose id vector is replaced by the unknown one.
        type_dropout: share of actions whose type is replaced by the generic one of its sign.
        half_order_share: share of examples with a part of the order moved to the history.
        id_start: `svd` of what is bought together, or `random`.
        id_factor: scale of the id vectors, a faster learning rate for that table.
        negatives: `seen_by_batch` leaves out items without an event before the batch's bucket ends,
            `seen_in_training` only items without any event in the training log.
        as_of_features: whether the item tower sees counts and age.
        softmax: `full`, `sampled`, or `auto`: full up to `full_softmax_max_items` items.
        sampled_negatives: items drawn per step by the sampled softmax.
        popularity_power: negatives are drawn with probability ~ (1 + count) to this power.
    """

    encoder: str = "mean"
    dim: int = 64
    history_length: int = 20
    temperature: float = 0.15
    learning_rate: float = 0.003
    epochs: int = 16
    batch_size: int = 256
    bucket_days: int = 7
    half_life_days: float = 90.0
    targets_power: float = 0.5
    following_orders: int = 3
    item_to_item: float = 0.5
    id_dropout: float = 0.1
    type_dropout: float = 0.05
    half_order_share: float = 0.3
    warm_up_share: float = 0.05
    id_factor: float = 3.0
    id_start: str = "svd"
    hidden: int = 128
    negatives: str = "seen_by_batch"
    as_of_features: bool = True
    softmax: str = "auto"
    full_softmax_max_items: int = 100_000
    sampled_negatives: int = 4096
    popularity_power: float = 0.75
    seed: int = 1
    threads: int = 2

    def __post_init__(self) -> None:
        wrong = next(self._faults(), None)
        if wrong:
            raise RecipeInvalid(f"recipe: {wrong}")

    def _faults(self) -> Iterator[str]:
        value = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, allowed in CHOICES.items():
            if value[name] not in allowed:
                yield f"{name} must be one of {', '.join(allowed)}"
        yield from (f"{n} must be at least 0 and below 1" for n in SHARES if not 0 <= value[n] < 1)
        yield from (f"{n} must be a number above 0" for n in POSITIVE if not 0 < value[n] < inf)
        yield from (f"{n} must not be negative" for n in NATURAL if not 0 <= value[n] < inf)
        if self.temperature < LOWEST_TEMPERATURE:
            yield f"temperature must be at least {LOWEST_TEMPERATURE}"

    def changed(self, values: Mapping[str, object], source: str = "recipe") -> "Recipe":
        """Return a copy with some values replaced.

        Raises:
            RecipeInvalid: an unknown key, a wrong type, or a value out of bounds.
        """
        known = asdict(self)
        for key, value in values.items():
            if key not in known:
                raise RecipeInvalid(f"{source}: unknown recipe key {key!r}: use one of {_names()}")
            if not _fits(value, known[key]):
                wanted = type(known[key]).__name__
                raise RecipeInvalid(f"{source}: {key} must be of type {wanted}, not {value!r}")
        typed = {key: type(known[key])(value) for key, value in values.items()}
        return replace(self, **typed)


def _names() -> str:
    return ", ".join(f.name for f in fields(Recipe))


def _fits(value: object, default: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


@dataclass(frozen=True, slots=True)
class Band:
    """From this value on, an event means this action."""

    at_least: float
    action: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """What the event types of a log mean, who is to be credited, and how to train on it.

    Attributes:
        actions: event type -> bands, highest first; an unlimited band for types without values.
    """

    name: str
    actions: Mapping[str, tuple[Band, ...]] = field(
        default_factory=lambda: {action: (Band(-inf, action),) for action in ACTIONS}
    )
    title: str = ""
    licence: str = ""
    credit: str = ""
    recipe: Recipe = field(default_factory=Recipe)


def load_dataset(folder: Path, description: Path | None = None) -> Dataset:
    """Find what is known of a data folder.

    In this order: the file given, `dataset.toml` inside the folder, the one of that name shipped
    with this package, else the canonical event types with the default recipe.

    Raises:
        RecipeInvalid: the description is missing, is not TOML, or says something impossible.
    """
    name = folder.resolve().name
    own, shipped = folder / "dataset.toml", DATASETS / f"{name}.toml"
    path = description or next((p for p in (own, shipped) if p.is_file()), None)
    return Dataset(name) if path is None else _read(path, name)


def _read(path: Path, name: str) -> Dataset:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeInvalid(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeInvalid(f"{path} is not valid TOML: {error}") from error
    unknown = set(document) - {"name", "title", "licence", "credit", "actions", "recipe"}
    if unknown:
        raise RecipeInvalid(f"{path}: unknown key {min(unknown)!r}")
    texts = {key: document[key] for key in ("title", "licence", "credit") if key in document}
    labels = document.get("actions", {})
    actions = {label: _bands(path, label, spec) for label, spec in labels.items()}
    dataset = Dataset(str(document.get("name", name)), **texts)
    recipe = dataset.recipe.changed(document.get("recipe", {}), source=str(path))
    return replace(dataset, actions=actions or dataset.actions, recipe=recipe)


def _bands(path: Path, label: str, spec: object) -> tuple[Band, ...]:
    """Read `"purchase"` or `[{at_least = 8, action = "purchase"}, ...]`."""
    rows = [{"at_least": -inf, "action": spec}] if isinstance(spec, str) else spec
    try:
        bands = [Band(float(row["at_least"]), str(row["action"])) for row in rows]  # type: ignore[attr-defined]
    except (TypeError, KeyError, ValueError) as error:
        raise RecipeInvalid(f"{path}: actions.{label} needs a list of at_least, action") from error
    wrong = [band.action for band in bands if band.action not in ACTIONS]
    if wrong or not bands:
        known = ", ".join(ACTIONS)
        raise RecipeInvalid(f"{path}: actions.{label} must name actions among {known}")
    return tuple(sorted(bands, key=lambda band: -band.at_least))
