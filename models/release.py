"""`python -m models release`: from a log to a live release in one go."""

import argparse
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from models.build_index import RECALL_FLOOR
from models.building.draft import Draft
from models.building.making import (
    AGAIN_WEIGHT,
    WORK,
    Made,
    Wanted,
    end_of,
    from_content,
    from_training,
    has_repeats,
    live_release,
    make_draft,
)
from models.building.release_report import report
from models.building.store import FORCE, Published, publish, release_name
from models.check import check, lines
from models.evaluate import quick_metrics
from models.evaluation.question import SPLIT, VALIDATION
from models.export import export
from models.interactions import Log, read_log, split_time
from models.reading.item_table import read_countries
from models.recipes import Dataset, Recipe, load_dataset
from models.towers import TrainedTowers
from models.train import train
from service.releases.manifest import Again


@dataclass(frozen=True, slots=True)
class Job:
    """Data read, and what to do with them; `seconds` by step fills on the way."""

    log: Log
    dataset: Dataset
    store: str
    work: Path
    is_measured: bool = True
    recall_floor: float = RECALL_FLOOR
    force: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Say what is going on, and note how long it took."""
        print(f"... {name}", flush=True)
        began_s = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began_s

    def train(self, until_s: int) -> TrainedTowers:
        """Train, or go on with a run of the same data and recipe that was cut off."""
        recipe = self.dataset.recipe
        return train(self.log, recipe, until_s, self.work / run_name(self.log, recipe, until_s))


def make_release(job: Job, shortfalls: tuple[str, ...], name: str) -> tuple[Draft, Published]:
    """Do everything; returns what was published, before and after.

    Raises:
        ModelsError: the data, the recipe, the index or the store cannot be used.
    """
    metrics = {} if shortfalls else _measure(job)
    weight = metrics.pop("again_weight", None)
    made = _content(job) if shortfalls else _trained(job)
    repeats = has_repeats(job.log)
    again = Again(float(AGAIN_WEIGHT if weight is None else weight), repeats)  # type: ignore[arg-type]
    wanted = Wanted(name, again, metrics, recall_floor=job.recall_floor)
    with job.step("index"):
        draft = make_draft(job.log, job.dataset, made, wanted, live_release(job.store))
    with job.step("publish"):
        return draft, publish(draft, job.store, job.force)


def _measure(job: Job) -> dict[str, object]:
    """Quality of the recipe on the last 20 % of this log, by towers that never saw them."""
    if not job.is_measured:
        return {}
    with job.step(f"train on {VALIDATION:.0%} of the events, to choose weights"):
        tuning = job.train(split_time(job.log, VALIDATION))
    with job.step(f"train on {SPLIT:.0%} of the events, to measure"):
        towers = job.train(split_time(job.log, SPLIT))
    with job.step("evaluate"):
        return quick_metrics(job.log, towers, tuning)


def _trained(job: Job) -> Made:
    until_s = end_of(job.log)
    with job.step("train on everything"):
        trained = job.train(until_s)
    with job.step("export"):
        exported = export(trained)
        trained.save(job.work / exported.version)  # for `refresh`
        return from_training(trained, exported, until_s)


def _content(job: Job) -> Made:
    recipe = job.dataset.recipe
    with job.step("content vectors"):
        return from_content(job.log, recipe.dim, recipe.history_length, end_of(job.log))


def run_name(log: Log, recipe: Recipe, until_s: int) -> str:
    """The folder of a training run: another recipe or other data have another one."""
    facts = [asdict(recipe), until_s, log.n, log.items.n, int(log.at_s[-1])]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return f"training-{digest[:8]}"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m models release`."""
    parser.add_argument("--data", type=Path, required=True, help="folder with events and items")
    parser.add_argument("--out", required=True, help="the store: a folder or a URL")
    parser.add_argument("--dataset", type=Path, help="description of the data (TOML)")
    parser.add_argument("--work", type=Path, default=WORK, help="keeps weights for `refresh`")
    parser.add_argument("--name", help="name of the release (default: the time)")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--recall-floor", type=float, default=RECALL_FLOOR)
    parser.add_argument("--force", metavar="REASON", default="", help=FORCE)
    parser.add_argument(
        "--until", type=float, metavar="SHARE", help="see only this share of the events, the oldest"
    )
    parser.add_argument(
        "--no-metrics", action="store_true", help="train once only, and measure nothing"
    )


def command(args: argparse.Namespace) -> int:
    """Read, check, make, publish, report."""
    dataset = load_dataset(args.data, args.dataset)
    log = read_log(args.data, dataset)
    if args.until is not None:
        log = log.before(split_time(log, args.until))
    found = check(log, time.time(), len(read_countries(args.data)))
    for line in lines(found):
        print(line)
    changes: Mapping[str, object] = {} if args.epochs is None else {"epochs": args.epochs}
    dataset = replace(dataset, recipe=dataset.recipe.changed(changes, "command line"))
    job = Job(log, dataset, args.out, args.work, not args.no_metrics, args.recall_floor, args.force)
    draft, published = make_release(job, found.shortfalls, args.name or release_name())
    for line in report(draft, published, job.seconds):
        print(line)
    return published.exit_code
