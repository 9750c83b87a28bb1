"""`python -m models train`: trains both towers, resumable, with progress and learning curves."""

import argparse
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from models.errors import TrainingInvalid
from models.interactions import Log, read_log, split_time
from models.networks.encoders import shared_actions
from models.networks.known import Known
from models.networks.tensors import load_tensors, save_tensors
from models.recipes import ENCODERS, Recipe, load_dataset
from models.towers import ItemFacts, Towers, TrainedTowers
from models.training.batches import count_batches, epoch_batches
from models.training.curves import Epoch, write_curves
from models.training.examples import Examples, Stream, make_examples
from models.training.id_start import together
from models.training.steps import Losses

CHECKPOINT = "checkpoint.pt"


def train(
    log: Log, recipe: Recipe, until_s: int, out: Path | None = None, progress: bool = True
) -> TrainedTowers:
    """Train both towers on the events before a time.

    Args:
        log: all events; those of `until_s` and later are not looked at.
        recipe: every hyper-parameter.
        until_s: epoch seconds.
        out: folder for checkpoints, learning curves and the trained towers; a run that was cut
            off goes on from its last epoch and ends as if it had not been.
        progress: whether to show a progress bar.

    Raises:
        TrainingInvalid: nothing to train on, or the folder holds the checkpoint of another run.
    """
    with _threads(recipe.threads):
        run = _Run(log, recipe, until_s, out)
        run.resume()
        for epoch in range(len(run.curve), recipe.epochs):
            run.epoch(epoch, progress)
        shared_actions(run.towers.user).complete(frozenset(run.known.actions))
        trained = TrainedTowers(recipe, run.known, run.towers, log, run.losses.facts)
    if out is not None:
        trained.save(out)
    return trained


class _Run:
    """The state of one training."""

    def __init__(self, log: Log, recipe: Recipe, until_s: int, out: Path | None) -> None:
        self.recipe, self.out = recipe, out
        self.stream = Stream.of(log, until_s)
        self.examples = _examples(log, self.stream, recipe, until_s)
        self.known = Known.of(log, until_s)
        self.losses = Losses(recipe, log, ItemFacts.of(log, self.known, until_s), until_s)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.towers = Towers(recipe, self.known)
        if recipe.id_start == "svd" and not self.losses.sampled:
            rows = np.flatnonzero(self.losses.facts.id_rows >= 0)
            start = together(self.examples, log.items.n, recipe.dim, recipe.seed)[rows]
            with torch.no_grad():
                self.towers.item.ids.add_(torch.from_numpy(start))
        self.steps = count_batches(self.examples.bucket, recipe.batch_size)
        self.optimizer = torch.optim.AdamW(
            self.towers.parameters(), lr=recipe.learning_rate, weight_decay=0.0, fused=True
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.curve: list[Epoch] = []
        self.mark = _fingerprint(recipe, self.examples, self.known)

    def _rate(self, step: int) -> float:
        """Linear warm-up, then a cosine to zero."""
        total = self.steps * self.recipe.epochs
        warm = max(1, round(total * self.recipe.warm_up_share))
        if step < warm:
            return (step + 1) / warm
        return float(0.5 * (1 + np.cos(np.pi * (step - warm) / max(1, total - warm))))

    def epoch(self, number: int, progress: bool) -> None:
        """Go once through all examples; what is random depends on seed and epoch only."""
        rng = np.random.default_rng([self.recipe.seed, number])
        batches = epoch_batches(self.examples, self.stream, self.recipe, rng)
        name = f"epoch {number + 1}/{self.recipe.epochs}"
        started = time.monotonic()
        sums = np.zeros(2)
        quiet = None if progress else True  # None: quiet unless there is a terminal
        bar = tqdm(batches, name, self.steps, unit="batch", disable=quiet, leave=False)
        for batch in bar:
            losses = self.losses.of(self.towers, batch, rng)
            loss = losses[0] + self.recipe.item_to_item * losses[1]
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            sums += len(batch.weight) * np.array([part.item() for part in losses])
        user, item = (sums / self.examples.n).tolist()
        self.curve.append(Epoch(number + 1, user, item, time.monotonic() - started))
        self.save()

    def save(self) -> None:
        """Write the checkpoint and the curves so far."""
        if self.out is None:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        state = {
            "mark": self.mark,
            "towers": self.towers.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "curve": [asdict(epoch) for epoch in self.curve],
        }
        save_tensors(self.out / CHECKPOINT, state)
        write_curves(self.out, self.curve)

    def resume(self) -> None:
        """Go on from a checkpoint, if there is one."""
        path = None if self.out is None else self.out / CHECKPOINT
        if path is None or not path.is_file():
            return
        try:
            state = load_tensors(path)
            if state["mark"] != self.mark:
                raise ValueError("it belongs to other data or another recipe")
            self.towers.load_state_dict(state["towers"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
            self.curve = [Epoch(**epoch) for epoch in state["curve"]]
        except (ValueError, KeyError, RuntimeError, TypeError) as error:
            raise TrainingInvalid(f"cannot go on from {path} ({error}): delete it") from error


def _examples(log: Log, stream: Stream, recipe: Recipe, until_s: int) -> Examples:
    examples = make_examples(log, stream, recipe, until_s)
    if not examples.n:
        raise TrainingInvalid("no order with a positive event to train on: add such events")
    return examples


def _fingerprint(recipe: Recipe, examples: Examples, known: Known) -> str:
    """Return what a checkpoint must agree with to be gone on with."""
    digest = hashlib.sha256(json.dumps(asdict(recipe), sort_keys=True).encode())
    digest.update(repr((known.until_s, known.vocabulary, known.actions)).encode())
    digest.update("\n".join(known.item_ids).encode())
    for column in (examples.user, examples.at_s, examples.items):
        digest.update(column.tobytes())
    return digest.hexdigest()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m models train`."""
    parser.add_argument("data", type=Path, help="folder with events and items")
    parser.add_argument("--out", type=Path, required=True, help="folder for the trained towers")
    parser.add_argument("--dataset", type=Path, help="description of the data (TOML)")
    parser.add_argument("--until", type=float, default=1.0, help="share of the events to train on")
    parser.add_argument("--encoder", choices=ENCODERS, help="user tower")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--threads", type=int)


def command(args: argparse.Namespace) -> int:
    """Read, train, save."""
    dataset = load_dataset(args.data, args.dataset)
    names = ("encoder", "epochs", "seed", "threads")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    recipe = dataset.recipe.changed(given, "command line")
    log = read_log(args.data, replace(dataset, recipe=recipe))
    until_s = int(log.at_s[-1]) + 1 if args.until >= 1 else split_time(log, args.until)
    train(log, recipe, until_s, args.out)
    print(f"trained towers: {args.out}")
    return 0
