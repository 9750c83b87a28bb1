"""`sightline release`: look at releases, and tell the service that runs what to do with them."""

import argparse
import asyncio
import getpass
import sys
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from pathlib import Path

from service.commands.tables import shadow_page, table
from service.domain.releases import HistoryEntry, ReleaseStatus
from service.errors import Busy, ReleaseRefused, ServiceError
from service.processes.control import ControlClient, find_control
from service.releases.loader import lines, verify
from service.settings.tree import load_settings
from service.shadow.reports import ask_report

REFUSED = 2
BUSY = 3
FORCE_HELP = "activate although it lost quality; the reason is kept in the history"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of `sightline release`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    checked = actions.add_parser("verify", help="check a release folder as serving would")
    checked.add_argument("path", type=Path)
    checked.set_defaults(action=_verify)
    for word, action, does in (
        ("list", _list, "every release that the service has met, and how it stands"),
        ("history", _history, "what was live when, and who asked"),
        ("rollback", _rollback, "make the previous release live again"),
    ):
        actions.add_parser(word, help=does).set_defaults(action=_asking(action))
    for word, action, does in (
        ("load", _load, "verify a release of the store and keep it ready beside the live one"),
        ("activate", _activate, "make a release live, loading it first if need be"),
        ("shadow", _shadow, "what a staged release would have answered"),
    ):
        named = actions.add_parser(word, help=does)
        named.add_argument("name", metavar="NAME")
        named.set_defaults(action=_asking(action))
        if action is _activate:
            named.add_argument("--force", metavar="REASON", default="", help=FORCE_HELP)


def command(asked: argparse.Namespace) -> int:
    """Run the action: 0 when it is done, 2 with a sentence if not, 3 when the service is busy."""
    action: Callable[[argparse.Namespace], int] = asked.action
    try:
        return action(asked)
    except ReleaseRefused as error:
        print(f"sightline: refused ({error.reason}): {error}", file=sys.stderr)
        return REFUSED
    except Busy as error:
        print(f"sightline: {error}; ask again in a while", file=sys.stderr)
        return BUSY
    except ServiceError as error:
        print(f"sightline: {error}", file=sys.stderr)
        return REFUSED


Asking = Callable[[Path, argparse.Namespace], Coroutine[None, None, None]]
"""Takes the control socket of the service."""


def _asking(action: Asking) -> Callable[[argparse.Namespace], int]:
    """An action that asks the service that runs on `redis.var_dir`."""

    def run(asked: argparse.Namespace) -> int:
        control = find_control(load_settings().redis.var_dir)
        asyncio.run(action(control, asked))
        return 0

    return run


async def _list(control: Path, asked: argparse.Namespace) -> None:
    overview = await ControlClient(control).overview()
    head = ("RELEASE", "STATE", "ITEMS", "EMBEDDING", "TRAINED THROUGH", "WHY")
    print(table(head, [_release_row(status) for status in overview.releases]))


async def _history(control: Path, asked: argparse.Namespace) -> None:
    overview = await ControlClient(control).overview()
    head = ("WHEN (UTC)", "ACTION", "RELEASE", "OUTCOME", "BY", "WHY")
    print(table(head, [_history_row(entry) for entry in overview.history]))


async def _load(control: Path, asked: argparse.Namespace) -> None:
    began_s = time.monotonic()
    _say(await ControlClient(control).load(asked.name, _me()), began_s)


async def _activate(control: Path, asked: argparse.Namespace) -> None:
    began_s = time.monotonic()
    _say(await ControlClient(control).activate(asked.name, _me(), asked.force), began_s)


async def _rollback(control: Path, asked: argparse.Namespace) -> None:
    began_s = time.monotonic()
    _say(await ControlClient(control).rollback(_me()), began_s)


async def _shadow(control: Path, asked: argparse.Namespace) -> None:
    report = await ask_report(control.parent, asked.name)
    if report is None:
        raise ServiceError(
            f"nothing was replayed against {asked.name}: set SIGHTLINE_RELEASES__SHADOW_SHARE, and "
            f"stage it with `sightline release load {asked.name}`"
        )
    print(shadow_page(report))


def _say(status: ReleaseStatus, began_s: float) -> None:
    print(f"{status.name} is {status.state} after {time.monotonic() - began_s:.1f} s")


def _me() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "cli:unknown"


def _release_row(status: ReleaseStatus) -> tuple[object, ...]:
    facts = [status.facts.get(name) for name in ("items", "embedding_version", "trained_through")]
    why = f"{status.reason}: {status.detail}" if status.reason else ""
    return (status.name, status.state, *facts, why)


def _history_row(entry: HistoryEntry) -> Iterable[object]:
    at = datetime.fromtimestamp(entry.at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    why = ": ".join(word for word in (entry.reason, entry.detail) if word)
    return (at, entry.action, entry.release, entry.outcome, entry.by, why)


def _verify(asked: argparse.Namespace) -> int:
    """Every check in order; the first that fails is the last that is run."""
    results = verify(asked.path)
    for line in lines(results):
        print(line)
    return 0 if results[-1].passed else REFUSED
