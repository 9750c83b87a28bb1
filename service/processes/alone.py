"""`sightline serve --workers 0`: one process that loads its release itself, for debugging."""

import asyncio
import signal
import time

import uvloop

from service.app import create_app, start
from service.processes.doors import Doors
from service.processes.host import examples
from service.processes.listening import Served, greeting, listen
from service.settings.tree import Settings
from service.wiring.parts import open_parts


def serve(settings: Settings, _: dict[str, dict[str, object]]) -> None:
    """Serves until SIGINT or SIGTERM.

    Raises:
        SetupInvalid: the address, the store, or the private Redis cannot be used.
        ReleaseRefused: the release may not go live.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings))


async def _run(settings: Settings) -> None:
    """Opens the parts, then takes connections: what is wrong is said before anybody could ask."""
    began_s = time.perf_counter()
    with listen(settings.server.host, settings.server.port) as listener:
        listener.setblocking(False)
        async with open_parts(settings) as parts:
            edge = create_app(settings, parts)
            await start(parts)
            doors = Doors(edge, listener, settings.processes.drain_s)
            await doors.open()
            live = parts.releases.live
            served = Served(live.name, len(live.catalogue), examples(live))
            print(greeting(listener, served, time.perf_counter() - began_s), flush=True)  # noqa: T201
            await _told()
            edge.access.leave()
            await doors.shut(linger_s=0.0, is_last=True)
            await doors.leave(idle_s=0.0)


async def _told() -> None:
    """Returns on the first signal to stop."""
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()
