"""`python -m models ope`: what another way of exploring would have earned, from the log alone.

Each explored slot was drawn from a pool with a known chance. A policy that would have drawn item
i with chance q where the log drew it with p is worth the mean of reward * q / p (inverse
propensity scoring, IPS; Horvitz and Thompson 1952), or the same divided by the mean of q / p
(self-normalised, SNIPS; Swaminathan and Joachims 2015), which is steadier and slightly biased.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import DataInvalid

Z95 = 1.96
REWARDS = ("view", "click", "add_to_cart", "purchase")
Policy = Callable[[Sequence[str]], NDArray[np.float64]]
"""Pool of item ids, best first -> the chance of each, which add up to 1."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One explored slot: the pool, what was drawn, how likely it was, and what came of it.

    Attributes:
        chance: P(this item | a slot was drawn from this pool).
    """

    pool: tuple[str, ...]
    item_id: str
    chance: float
    reward: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean reward of a slot under a policy, with half the width of its 95 % interval.

    Attributes:
        n_effective: Kish's effective number of slots; few of many: the policies differ too much.
    """

    policy: str
    ips: float
    ips_half: float
    snips: float
    snips_half: float
    n_effective: float


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m models ope`."""
    parser.add_argument("log", type=Path, help="folder of the impression log")
    parser.add_argument("--reward", choices=REWARDS, default="click", help="what counts as 1")
    parser.add_argument(
        "--within-s", type=float, default=86_400.0, help="feedback counts for this long (a day)"
    )


def command(args: argparse.Namespace) -> int:
    """Print an estimate for each policy."""
    slots = list(read_slots(args.log, args.reward, args.within_s))
    if not slots:
        raise DataInvalid(f"{args.log} holds no explored slot: raise pipeline.explore_share")
    mean = float(np.mean([slot.reward for slot in slots]))
    print(f"{len(slots)} explored slots, {args.reward} rate {mean:.5f} as logged\n")
    print(f"{'policy':<10} {'IPS':>9} {'+-':>9} {'SNIPS':>9} {'+-':>9} {'effective slots':>16}")
    for name, policy in POLICIES.items():
        found = estimate(name, slots, policy)
        print(
            f"{name:<10} {found.ips:9.5f} {found.ips_half:9.5f} {found.snips:9.5f} "
            f"{found.snips_half:9.5f} {found.n_effective:16.0f}"
        )
    return 0


def estimate(name: str, slots: Sequence[Slot], policy: Policy) -> Estimate:
    """The value of a policy on the logged slots; intervals by the delta method."""
    reward = np.array([slot.reward for slot in slots])
    weight = np.array(
        [policy(slot.pool)[slot.pool.index(slot.item_id)] / slot.chance for slot in slots]
    )
    n = len(slots)
    ips = float((weight * reward).mean())
    ips_half = Z95 * float((weight * reward).std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    total = float(weight.sum())
    snips = float((weight * reward).sum() / total) if total else math.nan
    spread = float(np.sqrt((weight**2 * (reward - snips) ** 2).sum()))
    snips_half = Z95 * spread / total if total else math.inf
    effective = total**2 / float((weight**2).sum()) if total else 0.0
    return Estimate(name, ips, ips_half, snips, snips_half, effective)


def uniform(pool: Sequence[str]) -> NDArray[np.float64]:
    """Any item of the pool: how the service explores."""
    return np.full(len(pool), 1.0 / len(pool))


def first(pool: Sequence[str]) -> NDArray[np.float64]:
    """Always the item that suits the person best: no exploration at all."""
    chances = np.zeros(len(pool))
    chances[0] = 1.0
    return chances


def geometric(pool: Sequence[str]) -> NDArray[np.float64]:
    """Each place half as likely as the one before it: near the taste, yet open."""
    chances = np.power(0.5, np.arange(len(pool)))
    return np.asarray(chances / chances.sum(), dtype=np.float64)


POLICIES: dict[str, Policy] = {"uniform": uniform, "geometric": geometric, "first": first}


def read_slots(folder: Path, reward: str, within_s: float) -> Iterator[Slot]:
    """The explored slots of a log, oldest first.

    Raises:
        DataInvalid: no log, or a whole line that is none of ours. What a process was writing when
            it was killed, or is writing now, is no whole line, and left out.
    """
    earned = _earned(folder, reward)
    for line in _lines(folder):
        if line["kind"] != "impression":
            continue
        for draw in line["draws"]:
            at_s = earned.get((line["recommendation_id"], draw["item_id"]), math.inf)
            pool = tuple(draw["pool"])
            # a slot that exists by luck is drawn evenly all the same: what counts is the draw
            yield Slot(
                pool, draw["item_id"], 1.0 / len(pool), float(0 <= at_s - line["at"] <= within_s)
            )


def _earned(folder: Path, reward: str) -> dict[tuple[str, str], float]:
    """When a list earned the reward with an item for the first time, epoch seconds."""
    earned: dict[tuple[str, str], float] = {}
    for line in _lines(folder):
        if line["kind"] == "feedback" and line["event_type"] == reward:
            key = (line["recommendation_id"], line["item_id"])
            earned[key] = min(line["at"], earned.get(key, math.inf))
    return earned


def _lines(folder: Path) -> Iterator[dict]:  # type: ignore[type-arg]
    files: Iterable[Path] = sorted(folder.glob("impressions-*.jsonl"))
    if not files:
        raise DataInvalid(f"{folder} holds no impressions-*.jsonl: name the folder of the log")
    for path in files:
        *whole, _torn = _read(path).split(b"\n")
        for number, text in enumerate(whole, start=1):
            yield _parse(text, f"{path}:{number}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # the service has made room meanwhile
        return b""


def _parse(text: bytes, where: str) -> dict:  # type: ignore[type-arg]
    try:
        line: dict = json.loads(text)  # type: ignore[type-arg]
    except ValueError as error:
        raise DataInvalid(f"{where} is no line of the log") from error
    return line
