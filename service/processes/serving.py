"""`sightline serve` with a supervisor: what it opens, in which order, and how signals end it."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.monitoring.processes import SupervisorMetrics, prepare, remove
from service.processes.control import Message
from service.processes.family import Family
from service.processes.linux import adopt_orphans
from service.processes.listening import Served, greeting, listen
from service.processes.meeting import SOCKET, meeting_folder
from service.processes.nursery import Nursery, Place
from service.processes.orders import QUIT, STOP
from service.processes.places import Places
from service.processes.register import Register
from service.processes.staging import Stager
from service.processes.supervisor import Supervisor
from service.releases.history import History
from service.releases.store import ReleaseStore, open_store
from service.settings.stores import Redis
from service.settings.tree import Settings
from service.stores.embedded import embedded_redis

HISTORY = "releases-history.jsonl"
LOOK_S = 5.0
SPARE_S = 1.0


@dataclass(frozen=True, slots=True)
class Opened:
    """What is there before any process is started, and after the last has ended."""

    settings: Settings
    store: ReleaseStore
    place: Place
    metrics: SupervisorMetrics


def serve(settings: Settings, overrides: Message) -> None:
    """Serves until SIGINT or SIGTERM.

    Args:
        settings: in force.
        overrides: what of them the environment does not say.

    Raises:
        SetupInvalid: the address, the store, or the private Redis cannot be used.
        ReleaseRefused: the release may not go live, and there is no other.
    """
    began_s = time.perf_counter()
    adopt_orphans()
    with _opened(settings, overrides) as opened:
        asyncio.run(_serve(opened, began_s))


@contextlib.contextmanager
def _opened(settings: Settings, overrides: Message) -> Iterator[Opened]:
    var_dir = settings.redis.var_dir
    store = open_store(settings.releases.store, var_dir / "releases")
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listen(settings.server.host, settings.server.port))
        listener.setblocking(False)
        if settings.releases.name is None:
            store.current()  # what is wrong is said before anything is started
        run = stack.enter_context(meeting_folder(var_dir))
        counts = prepare(run)
        stack.callback(remove, run)
        url = stack.enter_context(_redis(settings.redis))
        known = {**overrides, "redis": {**overrides.get("redis", {}), "url": url}}
        place = Place(listener, run / SOCKET, known, counts)
        yield Opened(settings, store, place, SupervisorMetrics(counts))


async def _serve(opened: Opened, began_s: float) -> None:
    settings, metrics = opened.settings, opened.metrics
    nursery = Nursery(opened.place, metrics)
    stager = Stager(settings.processes, nursery, opened.store, metrics)
    keeps_warm = settings.releases.keep_previous_warm
    places = Places(settings.processes, keeps_warm, nursery, stager)
    register = Register(History(settings.redis.var_dir / HISTORY))
    supervisor = Supervisor(settings.releases.name, opened.store, places, register, metrics)
    await nursery.open(supervisor.answer, supervisor.lost)
    told = _listen_to_signals(nursery, supervisor)
    starting = asyncio.create_task(supervisor.start())
    either: list[asyncio.Future[Any]] = [starting, told]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    try:
        if starting.done():
            await _live(opened, supervisor, starting.result(), began_s, told)
    finally:
        starting.cancel()
        opened.place.listener.close()  # whoever still lets callers in closes it last
        await supervisor.stop(told.result() if told.done() else QUIT)


async def _live(
    opened: Opened,
    supervisor: Supervisor,
    family: Family,
    began_s: float,
    told: asyncio.Future[str],
) -> None:
    """From the first answer that is possible to the signal to stop."""
    facts = family.told
    served = Served(family.release, facts["facts"]["items"], facts["examples"])
    print(greeting(opened.place.listener, served, time.perf_counter() - began_s), flush=True)  # noqa: T201
    lives = (_look(opened, supervisor), _keep_spare(supervisor))
    tasks = [asyncio.create_task(life) for life in lives]
    follow_s = opened.settings.releases.follow_s
    if follow_s:
        tasks.append(asyncio.create_task(supervisor.follow(follow_s)))
    await told
    for task in tasks:
        task.cancel()


def _listen_to_signals(nursery: Nursery, supervisor: Supervisor) -> asyncio.Future[str]:
    """The first order to stop; whoever insists gets it done faster."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[str] = loop.create_future()
    tasks: set[asyncio.Task[None]] = set()

    def stop(order: str) -> None:
        if not told.done():
            told.set_result(order)
            return
        for family in nursery.families.values():
            family.leave(QUIT)

    had_terminal = _has_terminal()

    def reload() -> None:
        if had_terminal and not _has_terminal():
            stop(QUIT)  # its window was closed; a service without one is told to reload
            return
        task = loop.create_task(supervisor.reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGCHLD, nursery.reap)
    loop.add_signal_handler(signal.SIGHUP, reload)
    loop.add_signal_handler(signal.SIGINT, stop, QUIT)
    loop.add_signal_handler(signal.SIGTERM, stop, STOP)
    return told


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def _look(opened: Opened, supervisor: Supervisor) -> None:
    """Counts workers, memory and room on disks; until cancelled."""
    var_dir = opened.settings.redis.var_dir
    mounts = {"state": var_dir, "metrics": opened.place.metrics}
    if "://" not in opened.settings.releases.store:
        mounts["releases"] = Path(opened.settings.releases.store)
    while True:
        opened.metrics.process.look(mounts)
        supervisor.look()
        await asyncio.sleep(LOOK_S)


async def _keep_spare(supervisor: Supervisor) -> None:
    """Replaces a spare host that was taken, or has ended; until cancelled."""
    while True:
        await supervisor.keep_spare()
        await asyncio.sleep(SPARE_S)


@contextlib.contextmanager
def _redis(settings: Redis) -> Iterator[str]:
    if settings.url is not None:
        yield settings.url
        return
    with embedded_redis(settings.var_dir) as url:
        yield url
