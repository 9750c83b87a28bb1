"""`python -m models export`: trained towers as ONNX files, proved equal to the originals."""

import argparse
import hashlib
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper
from torch import Tensor, nn

from models.errors import PublishInvalid
from models.files import write_bytes
from models.interactions import read_log
from models.networks.item_tower import ExportableItemTower
from models.recipes import load_dataset
from models.towers import TrainedTowers
from service.domain.actions import ACTIONS
from service.domain.arrays import Vectors
from service.releases.manifest import ITEM_TOWER, USER_TOWER
from service.towers.arrivals import VOCABULARY
from service.towers.features import Inputs
from service.towers.item_features import AS_OF_WIDTH
from service.towers.onnx import ITEM_VECTOR, USER_VECTOR, OnnxTower

OPSET = 17
PARITY = 1e-5
"""Largest difference allowed in any number between an exported tower and its original."""

BATCHES = (1, 32)
USER_INPUTS = ("item_vectors", "action_types", "ages_s")


@dataclass(frozen=True, slots=True)
class Exported:
    """Both towers as files, and the largest difference from the originals that was found."""

    user_tower: bytes
    item_tower: bytes
    version: str
    parity: float


def export(trained: TrainedTowers) -> Exported:
    """Export both towers and compare them for batches of 1 and 32 and for the empty history.

    Raises:
        PublishInvalid: an exported tower differs by more than 1e-5.
    """
    version = embedding_version(trained)
    recipe = trained.recipe
    properties = {"embedding_version": version}
    user = _to_onnx(
        trained.modules.user,
        _user_inputs(2, recipe.history_length, recipe.dim),
        USER_VECTOR,
        properties,
    )
    item_module = trained.exportable_item_tower()
    properties[VOCABULARY] = json.dumps(trained.vocabulary.to_json(), ensure_ascii=False)
    item = _to_onnx(item_module, _item_inputs(trained, 2), ITEM_VECTOR, properties)
    parity = max(
        _user_parity(trained, OnnxTower(user, USER_TOWER, USER_VECTOR, recipe.dim)),
        _item_parity(trained, item_module, OnnxTower(item, ITEM_TOWER, ITEM_VECTOR, recipe.dim)),
    )
    return Exported(user, item, version, parity)


def embedding_version(trained: TrainedTowers) -> str:
    """Name the vector space: the first 12 hexadecimal digits of SHA-256 of all weights."""
    digest = hashlib.sha256()
    for name, weights in sorted(trained.modules.state_dict().items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(weights.numpy()).tobytes())
    return digest.hexdigest()[:12]


def _to_onnx(
    module: nn.Module, inputs: Mapping[str, Tensor], output: str, properties: Mapping[str, str]
) -> bytes:
    """Export with a free batch size (and free bag widths).

    The exporter by tracing is used on purpose: for these graphs without control flow it takes
    0.1 s instead of 2 to 8, keeps opset 17, and gives a third fewer bytes.
    """
    axes = {name: {0: "B"} for name in (*inputs, output)}
    for name in ("title_ids", "title_weights", "tag_ids", "tag_weights"):
        if name in inputs:
            axes[name][1] = name.split("_")[0]
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            buffer,  # type: ignore[arg-type]  # a file is fine without dynamo
            dynamo=False,
            opset_version=OPSET,
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes=axes,
        )
    model = onnx.load_from_string(buffer.getvalue())
    helper.set_model_props(model, dict(properties))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _user_inputs(n: int, length: int, dim: int, empty: bool = False) -> dict[str, Tensor]:
    """Seeded histories of every length, or empty ones."""
    random = torch.Generator().manual_seed(n)
    vectors = nn.functional.normalize(torch.randn(n, length, dim, generator=random), dim=-1)
    types = torch.randint(1, len(ACTIONS) + 1, (n, length), generator=random)
    ages_s = torch.rand(n, length, generator=random) ** 4 * 3e7
    real = torch.arange(length) >= torch.randint(0, length, (n, 1), generator=random)
    mask = torch.zeros_like(real) if empty else real
    return {
        "item_vectors": vectors * mask.unsqueeze(-1),
        "action_types": types * mask,
        "ages_s": ages_s * mask,
    }


def _item_inputs(trained: TrainedTowers, n: int) -> dict[str, Tensor]:
    """The first n items of the catalogue, again from the front where it is smaller."""
    rows = np.arange(n) % len(trained.numbers.category)
    numbers = trained.numbers
    title, tags = numbers.title.take(rows), numbers.tags.take(rows)
    width = max(1, int(np.diff(title.starts).max(initial=0)))
    tag_width = max(1, int(np.diff(tags.starts).max(initial=0)))
    random = np.random.default_rng(n)
    arrays = (
        *title.padded(width),
        *tags.padded(tag_width),
        numbers.category[rows],
        numbers.price[rows],
        numbers.seller[rows],
        numbers.year[rows],
        random.random((n, AS_OF_WIDTH), dtype=np.float32),
    )
    names = ExportableItemTower.INPUTS
    return {name: torch.from_numpy(a) for name, a in zip(names, arrays, strict=True)}


def _user_parity(trained: TrainedTowers, tower: OnnxTower) -> float:
    recipe = trained.recipe
    asked = [_user_inputs(n, recipe.history_length, recipe.dim) for n in BATCHES]
    asked.append(_user_inputs(1, recipe.history_length, recipe.dim, empty=True))
    return _parity(trained.modules.user, tower, asked)


def _item_parity(trained: TrainedTowers, module: nn.Module, tower: OnnxTower) -> float:
    return _parity(module, tower, [_item_inputs(trained, n) for n in BATCHES])


@torch.no_grad()
def _parity(module: nn.Module, tower: OnnxTower, asked: Sequence[Mapping[str, Tensor]]) -> float:
    """The largest difference between a module and its exported tower."""
    worst = 0.0
    for tensors in asked:
        inputs: Inputs = {name: tensor.numpy() for name, tensor in tensors.items()}
        wanted: Vectors = module(*tensors.values()).numpy()
        difference = float(np.abs(tower.run(inputs) - wanted).max())
        if not difference <= PARITY:  # NaN is not
            raise PublishInvalid(
                f"{tower.file} differs from the trained tower by {difference:.2g}, more than "
                f"{PARITY}: train again, or use another encoder"
            )
        worst = max(worst, difference)
    return worst


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m models export`."""
    parser.add_argument("data", type=Path, help="folder with events and items")
    parser.add_argument("--trained", type=Path, required=True, help="folder that `train` wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for the ONNX files")
    parser.add_argument("--dataset", type=Path, help="description of the data (TOML)")


def command(args: argparse.Namespace) -> int:
    """Load, export, compare, write."""
    log = read_log(args.data, load_dataset(args.data, args.dataset))
    exported = export(TrainedTowers.load(args.trained, log))
    args.out.mkdir(parents=True, exist_ok=True)
    write_bytes(args.out / USER_TOWER, exported.user_tower)
    write_bytes(args.out / ITEM_TOWER, exported.item_tower)
    print(
        f"{args.out}: embedding version {exported.version}, largest difference from the trained "
        f"towers {exported.parity:.1e}"
    )
    return 0
