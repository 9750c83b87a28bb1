"""The manifest of a release: what it is made of, and what every file has to agree with."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from service.domain.attributes import BUILT_IN, Kind
from service.errors import ReleaseRefused
from service.releases.fields import Fields

FILE = "manifest.json"
SCHEMA_VERSION = 1
METRIC = "ip"
ENGINE = "hnswlib"

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
"""Release names; they sort by time and are folder names."""

REQUIRED_FILES = (
    "user_tower.onnx",
    "items.hnsw",
    "item_vectors.npy",
    "catalogue.parquet",
    "ladder.json",
    "probes.npz",
    "baseline.json",
)
OPTIONAL_FILES = ("item_tower.onnx",)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Of one file: SHA-256 in hexadecimal, and length."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Norms:
    """Lengths of the item vectors."""

    min: float
    mean: float
    max: float


@dataclass(frozen=True, slots=True)
class Again:
    """How a user's own items take part; see `service.ports.serving.Release`."""

    weight: float
    has_repeats: bool


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """How the index was built and what it was proved to reach.

    Attributes:
        recall: at 100, against exact search, on user vectors.
        recall_floor: what it has to reach when it is loaded.
    """

    engine: str
    version: str
    M: int
    ef_construction: int
    ef_search: int
    recall: float
    recall_floor: float


@dataclass(frozen=True, slots=True)
class TowerInputs:
    """Names of the inputs of each tower, and of the profile features in their order."""

    user_tower: tuple[str, ...]
    item_tower: tuple[str, ...] = ()
    user_features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A release's passport.

    Attributes:
        created_at: ISO 8601, UTC; so are `trained_through` (newest event that the weights saw)
            and `as_of` (instant of the counts behind the item vectors).
        embedding_version: names the vector space: both towers, vectors and index share it.
        parent: the release whose weights this one goes on with.
        filterable: columns of the catalogue that requests may filter by, with their kinds.
        skew: recall of old tower with new index and the reverse; empty without a parent.
    """

    release: str
    created_at: str
    trained_through: str
    as_of: str
    embedding_version: str
    parent: str | None
    dim: int
    n_items: int
    history_length: int
    norms: Norms
    actions: tuple[str, ...]
    inputs: TowerInputs
    again: Again
    index: IndexFacts
    metric: str = METRIC
    data: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)
    skew: Mapping[str, object] = field(default_factory=dict)
    filterable: Mapping[str, Kind] = field(default_factory=lambda: dict(BUILT_IN))
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def is_release_name(name: str) -> bool:
    return NAME.fullmatch(name) is not None and ".." not in name


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest by itself.

    Raises:
        ReleaseRefused: not there, not JSON, of another schema, a name missing or impossible.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ReleaseRefused(
            "missing", f"{FILE} is missing: the release is incomplete, publish it again"
        ) from error
    except (OSError, ValueError) as error:
        raise ReleaseRefused(
            "manifest", f"{FILE} is not readable JSON ({error}): publish the release again"
        ) from error
    fields = Fields(FILE, document)
    version = fields.whole("schema_version", 0)
    if version != SCHEMA_VERSION:
        raise fields.refused(
            f"schema_version must be {SCHEMA_VERSION}, not {version}: publish the release with "
            "the models of this version"
        )
    return _manifest(fields)


def _manifest(fields: Fields) -> Manifest:
    return Manifest(
        release=_release_name(fields),
        created_at=fields.instant("created_at"),
        trained_through=fields.instant("trained_through"),
        as_of=fields.instant("as_of"),
        embedding_version=fields.text("embedding_version"),
        parent=None if fields.is_null("parent") else fields.text("parent"),
        dim=fields.whole("dim", 1, 4096),
        n_items=fields.whole("n_items", 1),
        history_length=fields.whole("history_length", 1, 1000),
        norms=_norms(fields.part("norms")),
        actions=fields.names("actions", at_least=1),
        inputs=_inputs(fields.part("inputs")),
        again=_again(fields.part("again")),
        index=_index(fields.part("index")),
        metric=fields.one_of("metric", (METRIC,)),
        data=fields.mapping("data"),
        metrics=fields.mapping("metrics"),
        skew=fields.mapping("skew"),
        filterable=_filterable(fields),
        files=_files(fields.part("files")),
        schema_version=SCHEMA_VERSION,
    )


def _release_name(fields: Fields) -> str:
    name = fields.text("release")
    if not is_release_name(name):
        raise ReleaseRefused(
            "name", f"{FILE}: release must be lower case letters, digits, dots and hyphens, 1 to 64"
        )
    return name


def _norms(fields: Fields) -> Norms:
    return Norms(*(fields.number(name, 0.0) for name in ("min", "mean", "max")))


def _inputs(fields: Fields) -> TowerInputs:
    return TowerInputs(
        fields.names("user_tower", at_least=1),
        fields.names("item_tower"),
        fields.names("user_features"),
    )


def _again(fields: Fields) -> Again:
    return Again(fields.number("weight", 0.0), fields.truth("has_repeats"))


def _index(fields: Fields) -> IndexFacts:
    return IndexFacts(
        engine=fields.one_of("engine", (ENGINE,)),
        version=fields.text("version"),
        M=fields.whole("M", 2),
        ef_construction=fields.whole("ef_construction", 1),
        ef_search=fields.whole("ef_search", 1),
        recall=fields.number("recall", 0.0, 1.0),
        recall_floor=fields.number("recall_floor", 0.0, 1.0),
    )


def _filterable(fields: Fields) -> Mapping[str, Kind]:
    """Manifests written before it could be declared mean the columns that were filterable then."""
    if "filterable" not in fields.keys:
        return BUILT_IN
    declared = fields.part("filterable")
    return {name: Kind(declared.one_of(name, tuple(Kind))) for name in declared.keys}


def _files(fields: Fields) -> Mapping[str, FileFacts]:
    known = (*REQUIRED_FILES, *OPTIONAL_FILES)
    for name in fields.keys:
        if name not in known:
            raise fields.refused(f"{name!r} is not a file of a release, only {', '.join(known)}")
    return {name: _file(fields.part(name)) for name in fields.keys}


def _file(fields: Fields) -> FileFacts:
    sha256 = fields.text("sha256")
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise fields.refused("sha256 must be 64 lower case hexadecimal digits")
    return FileFacts(sha256, fields.whole("bytes", 0))
