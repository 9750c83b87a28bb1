"""`python -m models`: the offline commands. Bad input ends in one sentence and exit code 2."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from models.errors import ModelsError
from service.errors import ServiceError

COMMANDS = {
    "check": ("check", "report what a data folder holds and whether it is enough to train on"),
    "train": ("train", "train both towers"),
    "evaluate": ("evaluate", "measure towers beside the baselines on the same cases"),
    "coldstart": ("coldstart", "measure what people without much history, and new items, get"),
    "export": ("export", "write trained towers as ONNX and compare them"),
    "index": ("build_index", "build an index over vectors; report recall and latency"),
    "publish": ("publish", "make a release from trained towers"),
    "refresh": ("refresh", "make a release with new counts under frozen weights"),
    "release": ("release", "check, train, evaluate, export, index and publish in one go"),
    "live": ("live", "measure over HTTP what the lines of a running order are worth"),
    "ope": ("ope", "estimate from the impression log what another way of exploring would earn"),
    "verify": ("verify", "run the service's checks on a release folder"),
}
"""Word -> module and what it does; only the module that is asked for is imported."""


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for word, (module, does) in COMMANDS.items():
        own = commands.add_parser(word, help=does, description=does)
        if words[:1] == [word]:
            _load(module).configure(own)
    args = parser.parse_args(words)
    try:
        return int(_load(COMMANDS[args.command][0]).command(args))
    except (ModelsError, ServiceError) as error:
        print(f"python -m models {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


class Command(Protocol):
    """What every subcommand's module has."""

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def command(self, args: argparse.Namespace) -> int: ...


def _load(module: str) -> Command:
    try:
        return cast(Command, importlib.import_module(f"models.{module}"))
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        raise SystemExit(
            f"python -m models: {missing} is not installed: run `make install-train`"
        ) from error


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Waiting threads that spin take the cores from those that work: on two busy cores an epoch
    # of online-retail took 109 s instead of 8 s.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main())
