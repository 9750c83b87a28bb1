"""Trained towers: vectors of items and people, and their way to disk and back."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from models.errors import TrainingInvalid
from models.files import write_bytes
from models.interactions import Log
from models.networks.encoders import make_encoder
from models.networks.item_features import AsOf, numbers
from models.networks.item_tower import ContentTower, ExportableItemTower, ItemBatch, ItemTower
from models.networks.known import Known
from models.networks.tensors import load_tensors, save_tensors
from models.recipes import Recipe
from service.domain.actions import ACTIONS
from service.towers.features import History, history_inputs
from service.towers.item_features import ItemNumbers, ItemVocabulary

WEIGHTS, DESCRIPTION = "towers.pt", "towers.json"
AT_ONCE = 4096
ITEMS_AT_ONCE = 1 << 16


class Towers(nn.Module):
    """Both towers as one module, so that they are trained and saved together."""

    def __init__(self, recipe: Recipe, known: Known) -> None:
        super().__init__()
        dim = recipe.dim
        content = ContentTower(known.vocabulary, dim, recipe.hidden, recipe.as_of_features)
        self.item = ItemTower(content, len(known.item_ids), dim, recipe.id_factor)
        self.user = make_encoder(recipe.encoder, dim, recipe.history_length)


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """The catalogue of a log as the item tower sees it.

    Attributes:
        numbers: features that do not change.
        id_rows: int64 [n], row of the id table, -1 for items that training never saw.
        as_of: counts of all events of the log.
    """

    numbers: ItemNumbers
    id_rows: NDArray[np.int64]
    as_of: AsOf

    @classmethod
    def of(cls, log: Log, known: Known, until_s: int | None = None) -> Self:
        """Look at a log, or its events before a time, with what training knew."""
        place = {item_id: i for i, item_id in enumerate(known.item_ids)}
        id_rows = np.array([place.get(item_id, -1) for item_id in log.items.ids], np.int64)
        prices = np.append(np.array(known.prices, np.float64), np.nan)[id_rows]
        return cls(numbers(log, known.vocabulary, prices), id_rows, AsOf.of(log, until_s))

    def up_to_now(self, log: Log) -> Self:
        """Return the same with the counts of all events of the log."""
        return replace(self, as_of=AsOf.of(log))


class TrainedTowers:
    """Frozen weights bound to a log; the log may be newer than the training.

    Attributes:
        recipe, known: how and on what they were trained.
        modules: the torch towers; `modules.user` is exported as it is.
    """

    def __init__(
        self,
        recipe: Recipe,
        known: Known,
        modules: Towers,
        log: Log,
        facts: ItemFacts | None = None,
    ) -> None:
        self.recipe, self.known, self.modules = recipe, known, modules.eval()
        self._facts = ItemFacts.of(log, known) if facts is None else facts.up_to_now(log)
        rows = np.arange(log.items.n)
        parts = [rows[low : low + ITEMS_AT_ONCE] for low in range(0, len(rows), ITEMS_AT_ONCE)]
        self._parts = [(part, ItemBatch.of(self._facts.numbers, part)) for part in parts]
        self._at_training: NDArray[np.float32] | None = None

    @property
    def dim(self) -> int:
        return self.recipe.dim

    @property
    def vocabulary(self) -> ItemVocabulary:
        return self.known.vocabulary

    @property
    def actions_unseen(self) -> tuple[str, ...]:
        """Action types that the log lacked: their weights are a prior, not learned."""
        return tuple(name for name in ACTIONS if name not in self.known.actions)

    @property
    def numbers(self) -> ItemNumbers:
        """Features of the catalogue, by row."""
        return self._facts.numbers

    def as_of_features(self, as_of_s: int) -> NDArray[np.float32]:
        """Return float32 [n_items, 8], counts of whole days before the day of `as_of_s`."""
        return self._facts.as_of.features(as_of_s)

    def exportable_item_tower(self) -> ExportableItemTower:
        """Return the tower for items without history."""
        return ExportableItemTower(self.modules.item).eval()

    @torch.no_grad()
    def item_vectors(self, as_of_s: int, ids: bool = True) -> NDArray[np.float32]:
        """Return the vectors of the catalogue, float32 [n_items, dim], unit length.

        Args:
            as_of_s: counts are those of whole days before this time; the weights stay frozen.
            ids: without ids an item is only its content.
        """
        as_of = self.as_of_features(as_of_s)
        id_rows = self._facts.id_rows if ids else np.full_like(self._facts.id_rows, -1)
        vectors = np.empty((len(id_rows), self.dim), np.float32)
        for part, items in self._parts:
            inputs = torch.from_numpy(as_of[part]), torch.from_numpy(id_rows[part])
            vectors[part] = self.modules.item(items, *inputs).numpy()
        return vectors

    @torch.no_grad()
    def user_vectors(
        self,
        histories: Sequence[History],
        now_s: NDArray[np.float64],
        vectors: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return float32 [B, dim], unit length; an empty history gives the prior.

        Args:
            histories: what each person did, oldest first.
            now_s: float64 [B], epoch seconds of each request.
            vectors: item vectors to look up, those at the end of training when not given.
        """
        if vectors is None:
            if self._at_training is None:
                self._at_training = self.item_vectors(self.known.until_s)
            vectors = self._at_training
        table = functional.pad(torch.from_numpy(vectors), (0, 0, 1, 0))
        found = [np.empty((0, self.dim), np.float32)]
        for low in range(0, len(histories), AT_ONCE):
            part = slice(low, low + AT_ONCE)
            inputs = history_inputs(histories[part], now_s[part], self.recipe.history_length)
            rows, types, ages = (
                torch.from_numpy(inputs[name]) for name in ("item_rows", "action_types", "ages_s")
            )
            found.append(self.modules.user(functional.embedding(rows, table), types, ages).numpy())
        return np.concatenate(found)

    def save(self, folder: Path) -> None:
        """Write weights and description; each file is replaced atomically."""
        folder.mkdir(parents=True, exist_ok=True)
        save_tensors(folder / WEIGHTS, self.modules.state_dict())
        document = {"schema_version": 1, "recipe": asdict(self.recipe)} | self.known.to_json()
        write_bytes(folder / DESCRIPTION, json.dumps(document, indent=1).encode())

    @classmethod
    def load(cls, folder: Path, log: Log) -> Self:
        """Read saved towers and bind them to a log, which may hold newer events and items.

        Raises:
            TrainingInvalid: a file is missing, broken, or the two do not belong together.
        """
        path = folder / DESCRIPTION
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            recipe = Recipe().changed(document["recipe"], str(path))
            known = Known.from_json(document)
            modules = Towers(recipe, known)
            modules.load_state_dict(load_tensors(folder / WEIGHTS))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            detail = str(error).splitlines()[0]
            raise TrainingInvalid(
                f"{folder} holds no usable towers ({detail}): train again"
            ) from error
        return cls(recipe, known, modules, log)
