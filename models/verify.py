"""`python -m models verify`: every check of the service on a release folder."""

import argparse
from pathlib import Path

from service.releases.loader import verify


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m models verify`."""
    parser.add_argument("release", type=Path, help="folder of the release")


def command(args: argparse.Namespace) -> int:
    """Print each check; 2 when one fails."""
    results = verify(args.release)
    for result in results:
        word = "ok     " if result.passed else "refused"
        print(f"{word} {result.name:10} {1e3 * result.duration_s:7.1f} ms  {result.detail}")
    return 0 if results[-1].passed else 2
