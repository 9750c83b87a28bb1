"""`sightline release`: look at releases."""

import argparse
from collections.abc import Callable
from pathlib import Path

from service.releases.loader import verify

REFUSED = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of `sightline release`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    checked = actions.add_parser("verify", help="check a release folder as serving would")
    checked.add_argument("path", type=Path)
    checked.set_defaults(action=_verify)


def command(asked: argparse.Namespace) -> int:
    """Run the action that was asked for."""
    action: Callable[[argparse.Namespace], int] = asked.action
    return action(asked)


def _verify(asked: argparse.Namespace) -> int:
    """Every check in order; the first that fails is the last."""
    results = verify(asked.path)
    for result in results:
        mark = "ok" if result.passed else f"REFUSED ({result.reason})"
        print(f"{mark:>6}  {result.name:<12} {result.duration_s * 1000:7.1f} ms  {result.detail}")
    return 0 if all(result.passed for result in results) else REFUSED
