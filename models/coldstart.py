"""`python -m models coldstart`: what people we know little of, and new items, are served."""

import argparse
import shlex
from pathlib import Path

from models.evaluate import check_towers
from models.evaluation.coldstart.replay import make_replay
from models.evaluation.coldstart.report import markdown
from models.evaluation.question import SEED, SPLIT, VALIDATION
from models.files import write_bytes
from models.interactions import read_log, split_time
from models.recipes import load_dataset
from models.towers import TrainedTowers


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m models coldstart`."""
    parser.add_argument("--data", type=Path, required=True, help="folder with events and items")
    parser.add_argument(
        "--towers", type=Path, required=True, help="towers trained with --until 0.8"
    )
    parser.add_argument(
        "--tuning-towers", type=Path, required=True, help="the same recipe with --until 0.7"
    )
    parser.add_argument("--out", type=Path, required=True, help="file of the report")
    parser.add_argument("--seed", type=int, default=SEED, help="of samples and intervals")


def command(args: argparse.Namespace) -> int:
    """Replay, write the report as Markdown, and print it.

    Raises:
        EvaluationInvalid: towers were trained on what they are to predict.
    """
    log = read_log(args.data, load_dataset(args.data))
    sides = {}
    for folder, quantile in ((args.tuning_towers, VALIDATION), (args.towers, SPLIT)):
        towers = TrainedTowers.load(folder, log)
        check_towers(log, towers, quantile)
        sides[split_time(log, quantile)] = towers
    start, until = sides
    replay = make_replay(log, sides, (start, until), towers.recipe.history_length, args.seed)
    text = markdown(replay, _said(args))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(args.out, text.encode())
    print(text)
    return 0


def _said(args: argparse.Namespace) -> str:
    words = ["python", "-m", "models", "coldstart"]
    for name in ("data", "towers", "tuning_towers", "out"):
        words += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    return shlex.join(words)
