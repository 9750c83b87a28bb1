"""Who is who in Redis: a link is a line at both ends, each end written by one atomic script."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Sequence

from redis.exceptions import NoScriptError

from service.domain.identity import LinkOutcome
from service.errors import StoreUnavailable
from service.stores.asking import AskedNode
from service.stores.client import RedisClient
from service.stores.cluster import RedisCluster
from service.stores.identity_scripts import EDIT
from service.stores.keys import UserKeys
from service.stores.redis import RedisSessions

TELL_TRIES = 5
EDIT_SHA = hashlib.sha1(EDIT.encode(), usedforsecurity=False).hexdigest()


Arguments = tuple[bytes | str | int, ...]


class RedisIdentities:
    """`service.ports.stores.IdentityStore` over Redis.

    The two ends of a link may live on two servers of a cluster, so they cannot be written at
    once. A link holds while both ends say so: the account lists the anonymous id first, then the
    anonymous id claims the account, which succeeds for one account only; the claim makes the
    link, and taking it back undoes it. Whatever a failure leaves half done is no link, blocks
    nobody, and is mended by doing it again.

    Args:
        client: where to write.
        sessions: reads what is linked now.
        ids_kept: anonymous ids of one account; the oldest give way.
        ttl_s: life of a session after its last link, as after its last event.
        changed: is told whose session is another now, so that nothing old is kept of it.
    """

    def __init__(
        self,
        client: RedisClient | RedisCluster,
        sessions: RedisSessions,
        ids_kept: int,
        ttl_s: int,
        changed: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._sessions = sessions
        self._ids_kept = ids_kept
        self._ttl_s = ttl_s
        self._changed = changed

    async def link(self, account: str, anonymous: str) -> LinkOutcome:
        """See the port. Linking again renews the time to live.

        Raises:
            StoreUnavailable: not known to be linked.
        """
        listed = await self._links(account)
        claimed = (await self._links(anonymous))[:1]
        holder = claimed[0] if claimed else ""
        if holder not in ("", account) and anonymous in await self._links(holder):
            return LinkOutcome.CONFLICT
        joined = await self._edit(account, "join", anonymous, str(self._ids_kept))
        ids = joined.splitlines()
        others = [one for one in ids if one != anonymous]
        if await self._edit(anonymous, "claim", account, holder, *others):
            await self._edit(account, "leave", anonymous)  # another account was faster
            return LinkOutcome.CONFLICT
        for dropped in set(listed) - set(ids):
            await self._edit(dropped, "release", account)
        await self._tell(account)
        was_linked = holder == account and anonymous in listed
        return LinkOutcome.ALREADY if was_linked else LinkOutcome.LINKED

    async def unlink(self, account: str, anonymous: str) -> LinkOutcome:
        """See the port.

        Raises:
            StoreUnavailable: not known to be undone.
        """
        was_claimed = await self._edit(anonymous, "release", account)
        was_listed = await self._edit(account, "leave", anonymous)
        if not (was_claimed and was_listed):
            return LinkOutcome.ABSENT
        await self._tell(account)
        return LinkOutcome.UNLINKED

    async def set_interests(self, user: str, names: Sequence[str]) -> None:
        """See the port; the time to live starts anew.

        Raises:
            StoreUnavailable: not known to be stored.
        """
        await self._edit(user, "interests", *names)

    async def forget(self, user: str) -> tuple[str, ...]:
        """See the port. What is linked goes first: if it fails in between, doing it again helps.

        Raises:
            StoreUnavailable: perhaps not everything is gone.
        """
        gone = []
        for linked in await self._links(user):
            if await self._edit(linked, "forget", user):
                gone.append(linked)
        await self._edit(user, "forget", "")
        return (user, *gone)

    async def _links(self, user: str) -> tuple[str, ...]:
        limit_s = self._client.options.write_timeout_s
        return (await self._sessions.read(user, limit_s)).links

    async def _tell(self, account: str) -> None:
        """Lets each anonymous id know the others, so that one more read finds all of them.

        Looks again whether the account changed meanwhile, for then somebody else told as well,
        and the older word may have come last. Who misses it needs a moment longer, nothing else:
        that it failed is no failure.
        """
        told: tuple[str, ...] = ()
        with contextlib.suppress(StoreUnavailable):
            for _ in range(TELL_TRIES):
                ids = await self._links(account)
                if ids == told:
                    return
                hints = ((one, [other for other in ids if other != one]) for one in ids)
                await asyncio.gather(*(self._edit(one, "hint", account, *o) for one, o in hints))
                told = ids

    async def _edit(self, user: str, what: str, *texts: str) -> str:
        keys = UserKeys.of(user)
        arguments: Arguments = (
            *(keys.session, keys.events, keys.check, self._ttl_s, what),
            *texts,
        )

        async def send(node: RedisClient | AskedNode) -> tuple[str, str]:
            try:
                reply = await _evaluate(node, arguments)
            except NoScriptError:  # a server that was restarted has forgotten the script
                await node.writes.script_load(EDIT)
                reply = await _evaluate(node, arguments)
            return reply, "ok"

        limit_s = self._client.options.write_timeout_s
        try:
            return await self._client.run_at(keys.session, "identity", limit_s, send, send)
        finally:
            self._changed((user,))


async def _evaluate(node: RedisClient | AskedNode, arguments: Arguments) -> str:
    reply: bytes = await node.writes.execute_command("EVALSHA", EDIT_SHA, 2, *arguments)
    return reply.decode()
