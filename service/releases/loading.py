"""A release on its way from folder to memory."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from service.catalogue.live import LiveCatalogue
from service.catalogue.stock import StockColumn
from service.catalogue.updates import LiveUpdates
from service.domain.arrays import Rows, Vectors
from service.domain.ladders import Ladder
from service.indexes.arrivals import GrowingRouter
from service.indexes.exact import ExactIndex
from service.indexes.hnsw import HnswIndex
from service.indexes.router import Router
from service.ports.serving import Release
from service.releases.files import Identities, read_checked
from service.releases.golden import GoldenProbes
from service.releases.manifest import Manifest
from service.releases.probes import Probes
from service.towers.arrivals import ArrivalVectors
from service.towers.onnx import OnnxTower, OnnxUserTower


class Loading:
    """What the checks have found so far; each adds what later ones need.

    Attributes:
        proved: the identities of the files when all checks passed before, None if they never did.
        identities: those of the files now, taken before any of them is read.
        lists: the ten nearest items of every golden probe with a history, int64 [q, 10].
    """

    manifest: Manifest
    identities: Identities
    vectors: Vectors
    exact: ExactIndex
    catalogue: LiveCatalogue
    tower: OnnxUserTower
    item_tower: OnnxTower | None = None
    index: HnswIndex
    router: Router
    stock: StockColumn
    ladder: Ladder
    probes: Probes
    lists: Rows

    def __init__(self, folder: Path, proved: Identities | None = None) -> None:
        self.folder = folder
        self.proved = proved

    @property
    def is_proved(self) -> bool:
        """Whether no file was replaced or written since all checks passed."""
        return self.identities == self.proved

    def read(self, name: str) -> bytes:
        """The bytes of a file, proved once more.

        Raises:
            ReleaseRefused: "checksum".
        """
        return read_checked(self.folder, name, self.manifest)

    def release(self) -> Release:
        """The release, when all checks have passed."""
        facts = self.manifest
        built_at_s = datetime.fromisoformat(facts.created_at).timestamp()
        vectors = ArrivalVectors(facts.embedding_version, facts.dim, self.item_tower)
        return Release(
            name=facts.release,
            embedding_version=facts.embedding_version,
            dim=facts.dim,
            history_length=facts.history_length,
            again_weight=facts.again.weight,
            has_repeats=facts.again.has_repeats,
            tower=self.tower,
            index=self.index,
            exact=self.exact,
            router=GrowingRouter(self.router, self.catalogue, self.stock),
            catalogue=self.catalogue,
            stock=self.stock,
            updates=LiveUpdates(self.catalogue, self.stock, built_at_s, vectors),
            ladder=self.ladder,
            manifest=MappingProxyType(asdict(facts)),
            golden=GoldenProbes(self.probes),
        )
