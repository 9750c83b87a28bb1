"""Host names to addresses; the last answer serves while the resolver is slow or gone."""

import asyncio
import ipaddress
import socket

PATIENCE_S = 0.003
"""For the resolver, where an earlier answer is known; a caching one answers within 1 ms."""

Addresses = tuple[str, ...]


class Names:
    """Looks a name up whenever a connection is opened; callers at the same time share it.

    So a name that leads elsewhere is followed at once, a resolver that hangs holds up one thread
    and not one for each connection, and a name that was ever found stays good without it.
    """

    def __init__(self) -> None:
        self._known: dict[str, Addresses] = {}
        self._looking: dict[str, asyncio.Task[Addresses]] = {}

    async def find(self, host: str) -> Addresses:
        """Addresses to try, in order.

        Raises:
            OSError: it is unknown, and always was.
        """
        if _is_address(host):
            return (host,)
        looking = self._looking.get(host) or self._look(host)
        known = self._known.get(host)
        if known is None:
            return await asyncio.shield(looking)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.shield(looking)
        except OSError:  # TimeoutError is one
            return known

    def _look(self, host: str) -> asyncio.Task[Addresses]:
        looking = self._looking[host] = asyncio.create_task(_resolve(host), name="resolver")

        def end(done: asyncio.Task[Addresses]) -> None:
            del self._looking[host]
            if not done.cancelled() and not done.exception():
                self._known[host] = done.result()

        looking.add_done_callback(end)
        return looking


async def _resolve(host: str) -> Addresses:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
