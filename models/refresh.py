"""`python -m models refresh`: new counts and new items under frozen weights, in seconds."""

import argparse
import time
from pathlib import Path

from models.building.making import (
    WORK,
    Made,
    Wanted,
    end_of,
    from_content,
    from_training,
    make_draft,
)
from models.building.release_report import report
from models.building.store import FORCE, current_folder, publish, release_name
from models.errors import PublishInvalid
from models.export import Exported, embedding_version
from models.interactions import Log, read_log
from models.recipes import load_dataset
from models.towers import TrainedTowers
from service.errors import ReleaseRefused, SetupInvalid
from service.releases.loader import load_release
from service.releases.manifest import FILE, ITEM_TOWER, USER_TOWER, Manifest, read_manifest

CONTENT = "content-"
"""How the embedding version of towers begins that were never trained."""


def refreshed(log: Log, folder: Path, parent: Manifest, work: Path) -> Made:
    """The parent's towers with item vectors as of the end of a newer log.

    Args:
        log: the newer log.
        folder: of the parent.
        parent: its manifest.
        work: where the weights were kept.

    Raises:
        PublishInvalid: the weights of the parent's embedding version are not in `work`.
    """
    if parent.embedding_version.startswith(CONTENT):
        return from_content(log, parent.dim, parent.history_length, end_of(log))
    weights = work / parent.embedding_version
    if not weights.is_dir():
        raise PublishInvalid(
            f"{weights} with the weights of {parent.release} is missing: name the folder that "
            "`release` kept them in with --work, or make a new release"
        )
    trained = TrainedTowers.load(weights, log)
    if embedding_version(trained) != parent.embedding_version:
        raise PublishInvalid(
            f"{weights} holds other weights than {parent.release} was made with: make a new release"
        )
    user, item = ((folder / name).read_bytes() for name in (USER_TOWER, ITEM_TOWER))
    return from_training(trained, Exported(user, item, parent.embedding_version, 0.0), end_of(log))


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m models refresh`."""
    parser.add_argument("--data", type=Path, required=True, help="folder with events and items")
    parser.add_argument("--store", required=True, help="the store to go on with: a folder or a URL")
    parser.add_argument("--dataset", type=Path, help="description of the data (TOML)")
    parser.add_argument("--work", type=Path, default=WORK, help="where `release` kept the weights")
    parser.add_argument("--name", help="name of the release (default: the time)")
    parser.add_argument("--force", metavar="REASON", default="", help=FORCE)


def command(args: argparse.Namespace) -> int:
    """Read, recompute, index, publish, report."""
    began_s = time.monotonic()
    try:
        folder = current_folder(args.store)
        old, parent = load_release(folder), read_manifest(folder / FILE)
    except (ReleaseRefused, SetupInvalid) as error:
        raise PublishInvalid(f"nothing to refresh: {error}") from error
    dataset = load_dataset(args.data, args.dataset)
    log = read_log(args.data, dataset)
    made = refreshed(log, folder, parent, args.work)
    wanted = Wanted(
        name=args.name or release_name(),
        again=parent.again,
        metrics=parent.metrics,
        parent=parent.release,
        recall_floor=parent.index.recall_floor,
    )
    draft = make_draft(log, dataset, made, wanted, old)
    published = publish(draft, args.store, args.force)
    for line in report(draft, published, {"refresh": time.monotonic() - began_s}):
        print(line)
    return published.exit_code
