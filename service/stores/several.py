"""Reads the sessions of several ids in one round trip: one pipeline per server, all at once."""

import asyncio
import contextlib
from collections.abc import Sequence

from redis.exceptions import AskError

from service.domain.sessions import EMPTY_SESSION, Session
from service.errors import StoreUnavailable
from service.stores.asking import AskedNode, is_ask
from service.stores.client import RedisClient
from service.stores.cluster import RedisCluster
from service.stores.codec import unpack_session
from service.stores.keys import UserKeys
from service.stores.outcomes import classify

Sessions = dict[str, Session]


async def read_several(
    client: RedisClient | RedisCluster, users: Sequence[str], last_byte: int, limit_s: float
) -> Sessions:
    """The sessions by user key, without those that could not be read.

    Args:
        client: one server or a cluster.
        users: user keys, each once.
        last_byte: nothing behind it is read.
        limit_s: for all of it.

    Raises:
        StoreUnavailable: none could be read.
    """
    by_node: dict[RedisClient, list[str]] = {}
    for user in users:
        by_node.setdefault(client.node(UserKeys.of(user).session), []).append(user)
    parts = await asyncio.gather(
        *(_read_at(client, node, its, last_byte, limit_s) for node, its in by_node.items()),
        return_exceptions=True,
    )
    found: Sessions = {}
    for part in parts:
        if isinstance(part, dict):
            found |= part
        elif not isinstance(part, StoreUnavailable):
            raise part
    if not found:
        raise next(part for part in parts if isinstance(part, StoreUnavailable))
    return found


async def _read_at(
    client: RedisClient | RedisCluster,
    node: RedisClient,
    users: list[str],
    last_byte: int,
    limit_s: float,
) -> Sessions:
    async def fetch() -> tuple[Sessions, str]:
        pipeline = node.reads.pipeline(transaction=False)
        keys = [UserKeys.of(user) for user in users]
        for its in keys:
            pipeline.execute_command("GETRANGE", its.session, 0, last_byte)
        replies: list[object] = await pipeline.execute(raise_on_error=False)
        found: Sessions = {}
        words = set()
        for user, its, first in zip(users, keys, replies, strict=True):
            reply = await _ask(client, first, its, last_byte) if is_ask(first) else first
            session, word = _session(client, its, reply)
            words.add(word)
            if session is not None:
                found[user] = session
        if not found:
            raise StoreUnavailable(min(words))
        return found, next(w for w in ("corrupt", "wrongtype", "moved", "ok", "miss") if w in words)

    return await node.run("read", limit_s, fetch)


async def _ask(
    client: RedisClient | RedisCluster, error: object, keys: UserKeys, last_byte: int
) -> object:
    """What the server says that is just taking a key over; the error where it says nothing."""

    async def fetch(node: AskedNode) -> tuple[object, str]:
        reply = await node.reads.execute_command("GETRANGE", keys.session, 0, last_byte)
        return reply, "ok"

    with contextlib.suppress(StoreUnavailable):
        return await client.ask(error, "read", client.options.read_timeout_s, fetch)
    return error


def _session(
    client: RedisClient | RedisCluster, keys: UserKeys, reply: object
) -> tuple[Session | None, str]:
    """What a reply tells, and the outcome word; None when the key lives elsewhere by now.

    Raises:
        Exception: the reply, when it is an error that concerns all keys.
    """
    if isinstance(reply, bytes):
        return unpack_session(reply, keys.check)
    if client.learn(keys.session, reply) or isinstance(reply, AskError):
        return None, "moved"
    if isinstance(reply, Exception):
        if classify(reply).outcome == "wrongtype":  # somebody else's data under our key
            return EMPTY_SESSION, "wrongtype"
        raise reply
    return EMPTY_SESSION, "corrupt"
