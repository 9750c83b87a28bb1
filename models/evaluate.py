"""`python -m models evaluate`: towers beside all baselines, on the same cases in the same run."""

import argparse
import json
import shlex
from pathlib import Path

from models.errors import EvaluationInvalid
from models.evaluation.metrics import Estimate
from models.evaluation.question import SEED, SPLIT, VALIDATION, Question, Trial, answer
from models.evaluation.released import ReleasedTowers
from models.evaluation.report import markdown
from models.evaluation.results import Measures, Row
from models.files import write_bytes
from models.interactions import Log, read_log, split_time
from models.recipes import load_dataset
from models.towers import TrainedTowers
from models.train import train

JSON_FILE, MARKDOWN_FILE, TUNING_FOLDER = "evaluation.json", "evaluation.md", "tuning-towers"


def quick_metrics(
    log: Log, towers: TrainedTowers, tuning_towers: TrainedTowers, seed: int = SEED
) -> dict[str, object]:
    """What a release says about its quality: towers beside popularity and own history.

    Args:
        log: the whole log; cases lie after its 80 % point.
        towers: trained before the 80 % point.
        tuning_towers: trained before the 70 % point; they choose the weight of own items.
        seed: of samples and intervals.

    Returns:
        Plain JSON: `again_weight`, and in `targets` per target (`new items`, `next order`) the
        number of cases and users, `served` (the row that a release answers like; the promotion
        gate judges by it), and the rows: `name`, `information`, `fresh`, `overall` and
        `segments`; every measure as [value, low, high], the interval being 95 % over users.
    """
    check_towers(log, towers, SPLIT)
    check_towers(log, tuning_towers, VALIDATION)
    last = towers.recipe.history_length
    question = Question(log, towers, tuning_towers, last, quick=True, seed=seed, progress=False)
    novel, repeats = question.trials()
    return {
        "protocol": "next order after the 80 % point of the events; see docs/evaluation.md",
        "again_weight": repeats.again_weight(),
        "targets": {trial.name: _short(trial, seed) for trial in (novel, repeats)},
    }


def check_towers(log: Log, towers: TrainedTowers, quantile: float) -> None:
    """Refuses towers that were trained on what they are to predict.

    Raises:
        EvaluationInvalid: the training used events after this quantile of the log's times.
    """
    if towers.known.until_s > split_time(log, quantile):
        raise EvaluationInvalid(
            f"the towers were trained on events after the {quantile:.0%} point of this log, which "
            f"they are to predict: train with --until {quantile}"
        )


def _short(trial: Trial, seed: int) -> dict[str, object]:
    target = trial.target(seed)
    rows = [_short_row(row) for row in target.rows]
    return {
        "cases": target.cases,
        "users": target.users,
        "segment_cases": target.segment_cases,
        "served": trial.plan.served,
        "rows": rows,
    }


def _short_row(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "information": row.information,
        "fresh": row.fresh,
        "overall": _numbers(row.measures),
        "segments": {name: _numbers(measures) for name, measures in row.segments.items()},
    }


def _numbers(measures: Measures) -> dict[str, list[float]]:
    def three(estimate: Estimate) -> list[float]:
        return [round(x, 4) for x in (estimate.value, estimate.low, estimate.high)]

    return {name: three(estimate) for name, estimate in measures.items()}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m models evaluate`."""
    parser.add_argument("--data", type=Path, required=True, help="folder with events and items")
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    judged = parser.add_mutually_exclusive_group()
    judged.add_argument("--towers", type=Path, help="towers trained with --until 0.8")
    judged.add_argument(
        "--release", type=Path, help="folder of a release, judged on what came after its training"
    )
    parser.add_argument(
        "--tuning-towers",
        type=Path,
        help="the same recipe trained with --until 0.7; trained now when not given",
    )
    parser.add_argument("--dataset", type=Path, help="description of the data (TOML)")
    parser.add_argument("--quick", action="store_true", help="without item-kNN and EASE")
    parser.add_argument("--seed", type=int, default=SEED, help="of samples and intervals")


def command(args: argparse.Namespace) -> int:
    """Evaluate, write the report as JSON and Markdown, and print the latter."""
    log = read_log(args.data, load_dataset(args.data, args.dataset))
    question = _question(args, log)
    evaluation = answer(question, str(args.towers or args.release or "none"), _said(args))
    args.out.mkdir(parents=True, exist_ok=True)
    text = markdown(evaluation)
    document = json.dumps(evaluation.to_json(), indent=1, allow_nan=False)
    write_bytes(args.out / JSON_FILE, document.encode())
    write_bytes(args.out / MARKDOWN_FILE, text.encode())
    print(text)
    return 0


def _question(args: argparse.Namespace, log: Log) -> Question:
    if args.release is not None:
        return _of_release(args, log)
    if args.towers is None:
        return Question(log, quick=args.quick, seed=args.seed)
    towers = TrainedTowers.load(args.towers, log)
    check_towers(log, towers, SPLIT)
    if args.tuning_towers is None:
        until_s = split_time(log, VALIDATION)
        tuning = train(log, towers.recipe, until_s, args.out / TUNING_FOLDER)
    else:
        tuning = TrainedTowers.load(args.tuning_towers, log)
        check_towers(log, tuning, VALIDATION)
    last = towers.recipe.history_length
    return Question(log, towers, tuning, last, quick=args.quick, seed=args.seed)


def _of_release(args: argparse.Namespace, log: Log) -> Question:
    towers = ReleasedTowers.load(args.release, log)
    return Question(
        log,
        towers,
        last=towers.release.history_length,
        quick=args.quick,
        seed=args.seed,
        split_s=towers.trained_through_s,
        release_weight=towers.release.again_weight,
    )


def _said(args: argparse.Namespace) -> str:
    words = ["python", "-m", "models", "evaluate"]
    for name in ("data", "towers", "release", "tuning_towers", "dataset", "out"):
        value = getattr(args, name)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join([*words, "--quick"] if args.quick else words)
