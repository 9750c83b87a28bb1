"""Where Redis is: one server, a master that Sentinels know, or a cluster, read from a URL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from redis.asyncio.connection import parse_url

from service.errors import SetupInvalid

SENTINEL_PORT, CLUSTER_PORT = 26_379, 6_379
EXAMPLES = (
    "redis://host:6379/0, rediss://host:6379/0, unix:///path/redis.sock, "
    "redis+sentinel://host:26379,host:26379/master-name or redis+cluster://host:6379,host:6379"
)
SENTINEL_PASSWORD = "sentinel_password"


class Kind(StrEnum):
    """What answers at the hosts of a URL."""

    SERVER = "server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Place:
    """Where Redis is.

    Attributes:
        scheme: how a connection is made: `redis`, `rediss` (TLS) or `unix`.
        login: what redis-py's connections take besides the address: user, password, database, …
        hosts: one server, the Sentinels, or some nodes of the cluster; none for a unix socket.
        master: the name that the Sentinels know the master by.
        sentinel_password: for the Sentinels themselves; the other one is for the master.
    """

    kind: Kind
    scheme: str
    login: Mapping[str, Any] = field(repr=False)
    hosts: tuple[tuple[str, int], ...] = ()
    master: str = ""
    sentinel_password: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> Self:
        """Reads a URL; `EXAMPLES` shows all kinds, `rediss+` makes TLS of the last two.

        Raises:
            SetupInvalid: it is of no kind, or a part is missing.
        """
        scheme = url.partition("://")[0]
        try:
            if scheme in ("redis", "rediss", "unix") and "://" in url:
                return cls(Kind.SERVER, scheme, _login(url))
            base, _, kind = scheme.partition("+")
            if base in ("redis", "rediss") and kind in (Kind.SENTINEL, Kind.CLUSTER):
                return cls(**_of_many(url, base, Kind(kind)))
        except ValueError as error:
            raise SetupInvalid(f"the Redis URL cannot be read: {error}") from error
        raise SetupInvalid(
            f"the Redis URL starts with '{scheme if '://' in url else url}', "
            f"which is not supported; use {EXAMPLES}"
        )

    def at(self, host: str, port: int) -> "Place":
        """One server that is reached with the same login."""
        login = MappingProxyType({**self.login, "host": host, "port": port})
        return Place(Kind.SERVER, self.scheme, login, ((host, port),))


def _of_many(url: str, scheme: str, kind: Kind) -> dict[str, Any]:
    """The parts of a URL with several hosts: `user:password@host:port,host:port/path?query`."""
    rest, _, query = url.partition("://")[2].partition("?")
    authority, _, path = rest.partition("/")
    user, at, names = authority.rpartition("@")
    options = dict(parse_qsl(query))
    sentinel_password = options.pop(SENTINEL_PASSWORD, None)
    master, _, database = path.partition("/") if kind is Kind.SENTINEL else ("", "", path)
    if kind is Kind.SENTINEL and not master:
        raise ValueError("the name of the master is missing: redis+sentinel://host:26379/mymaster")
    if kind is Kind.CLUSTER and database not in ("", "0"):
        raise ValueError(f"a cluster has no database {database}, only 0")
    port = SENTINEL_PORT if kind is Kind.SENTINEL else CLUSTER_PORT
    tail = f"/{database}?{urlencode(options)}"
    logins = [_login(f"{scheme}://{user}{at}{name}{tail}") for name in names.split(",")]
    if not all(login.get("host") for login in logins):
        raise ValueError("a host is missing")
    return {
        "kind": kind,
        "scheme": scheme,
        "login": _without_address(logins[0]),
        "hosts": tuple((login["host"], login.get("port", port)) for login in logins),
        "master": master,
        "sentinel_password": sentinel_password,
    }


def _login(url: str) -> Mapping[str, Any]:
    return MappingProxyType({**parse_url(url)})


def _without_address(login: Mapping[str, Any]) -> Mapping[str, Any]:
    kept = {name: value for name, value in login.items() if name not in ("host", "port")}
    kept.pop("connection_class", None)
    return MappingProxyType(kept)
