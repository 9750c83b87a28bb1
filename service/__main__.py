"""The `sightline` command. What is wrong with the set-up ends in one sentence and exit code 2."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from service.errors import ReleaseRefused, SetupInvalid

COMMANDS = {
    "serve": "answer requests until stopped",
    "events": "send what people did",
    "release": "look at releases",
    "metrics": "the reference page of all metrics",
    "settings": "show every setting and its value",
}
"""Word and module of `service.commands` -> what it does; only the one asked for is imported."""
WRONG_SETUP = 2
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # onnxruntime would report to its makers


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0 when it went well, 2 with one sentence when the set-up is wrong."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="sightline", description="Candidates, fresh and honest.")
    commands = parser.add_subparsers(dest="word", required=True, metavar="COMMAND")
    for word, does in COMMANDS.items():
        own = commands.add_parser(word, help=does)
        if words[:1] == [word]:
            _load(word).configure(own)
    asked = parser.parse_args(words)
    try:
        return _load(asked.word).command(asked)
    except (SetupInvalid, ReleaseRefused) as error:
        print(f"sightline: {error}", file=sys.stderr)
        return WRONG_SETUP
    except KeyboardInterrupt:
        return 0


class Command(Protocol):
    """What every module of `service.commands` has."""

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def command(self, asked: argparse.Namespace) -> int: ...


def _load(word: str) -> Command:
    return cast(Command, importlib.import_module(f"service.commands.{word}"))


if __name__ == "__main__":
    sys.exit(main())
