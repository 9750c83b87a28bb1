"""Bounded pools of connections to one server, or to the master that Sentinels name."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service.errors import SetupInvalid
from service.stores.connections import CONNECTIONS
from service.stores.names import Names
from service.stores.places import Kind, Place
from service.stores.quick import QuickPool, QuickRedis
from service.stores.sentinel import MASTER_CONNECTIONS, MasterFinder


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many connections there may be, and how long each wait may last; seconds.

    The library's own defaults are fatal on a read path: ten retries and 5 s timeouts made one
    call to a hung server last 59 s.
    """

    size: int
    wait_s: float
    connect_s: float
    reply_s: float


def open_pool(place: Place, bounds: Bounds, finder: MasterFinder | None = None) -> Redis:
    """A client of its own pool; nothing is connected yet.

    Raises:
        SetupInvalid: an option in the URL is none of the library's.
    """
    options: dict[str, Any] = {**place.login, "connection_class": CONNECTIONS[place.scheme]}
    if place.scheme != "unix":
        options["names"] = Names()
    if finder is not None:
        options |= {"connection_class": MASTER_CONNECTIONS[place.scheme], "finder": finder}
    try:
        pool = QuickPool(
            **options,
            max_connections=bounds.size,
            timeout=bounds.wait_s,
            socket_timeout=bounds.reply_s,
            socket_connect_timeout=bounds.connect_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # no HELLO and no client info: a new connection costs less
            driver_info=None,
        )
        pool.connection_class(**pool.connection_kwargs)  # complains of options it does not know
    except (TypeError, ValueError) as error:
        raise SetupInvalid(f"the Redis URL cannot be read: {error}") from error
    return QuickRedis(connection_pool=pool)


def master_finder(place: Place, bounds: Bounds) -> MasterFinder | None:
    """Asks the Sentinels of a place; None where there are none."""
    if place.kind is not Kind.SENTINEL:
        return None
    kept = {
        name: value
        for name, value in place.login.items()
        if name not in ("db", "username", "password")
    }
    if place.sentinel_password is not None:
        kept["password"] = place.sentinel_password
    its = Place(Kind.SERVER, place.scheme, MappingProxyType(kept))
    sentinels = [open_pool(its.at(host, port), bounds) for host, port in place.hosts]
    return MasterFinder(sentinels, place.master, bounds.connect_s + bounds.reply_s)
