"""`python -m models publish`: trained towers and a log into a live release, without training."""

import argparse
import time
from pathlib import Path

from models.build_index import RECALL_FLOOR
from models.building.making import (
    AGAIN_WEIGHT,
    Wanted,
    end_of,
    from_training,
    has_repeats,
    live_release,
    make_draft,
)
from models.building.release_report import report
from models.building.store import FORCE, publish, release_name
from models.export import export
from models.interactions import read_log
from models.recipes import load_dataset
from models.towers import TrainedTowers
from service.releases.manifest import Again


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m models publish`."""
    parser.add_argument("--data", type=Path, required=True, help="folder with events and items")
    parser.add_argument("--trained", type=Path, required=True, help="folder that `train` wrote")
    parser.add_argument("--out", required=True, help="the store: a folder or a URL")
    parser.add_argument("--dataset", type=Path, help="description of the data (TOML)")
    parser.add_argument("--name", help="name of the release (default: the time)")
    parser.add_argument("--again-weight", type=float, default=AGAIN_WEIGHT)
    parser.add_argument("--recall-floor", type=float, default=RECALL_FLOOR)
    parser.add_argument("--force", metavar="REASON", default="", help=FORCE)


def command(args: argparse.Namespace) -> int:
    """Export, index, publish, report."""
    began_s = time.monotonic()
    dataset = load_dataset(args.data, args.dataset)
    log = read_log(args.data, dataset)
    trained = TrainedTowers.load(args.trained, log)
    made = from_training(trained, export(trained), end_of(log))
    again = Again(args.again_weight, has_repeats(log))
    wanted = Wanted(args.name or release_name(), again, recall_floor=args.recall_floor)
    draft = make_draft(log, dataset, made, wanted, live_release(args.out))
    published = publish(draft, args.out, args.force)
    for line in report(draft, published, {"publish": time.monotonic() - began_s}):
        print(line)
    return published.exit_code
