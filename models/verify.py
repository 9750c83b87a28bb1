"""`python -m models verify`: every check of the service on a release folder."""

import argparse
from pathlib import Path

from service.releases.loader import lines, verify


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m models verify`."""
    parser.add_argument("release", type=Path, help="folder of the release")


def command(args: argparse.Namespace) -> int:
    """Print each check; 2 when one fails."""
    results = verify(args.release)
    for line in lines(results):
        print(line)
    return 0 if results[-1].passed else 2
