"""What a failure in the middle of a link leaves behind: a whole link or none."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
import redis

from service.domain.sessions import EMPTY_SESSION
from service.errors import StoreUnavailable
from service.stages.identify import Identify
from service.stores.codec import Keep, pack_session
from service.stores.identities import RedisIdentities
from service.stores.keys import UserKeys
from service.stores.redis import RedisSessions
from tests.redis_server import RedisServer
from tests.service.stores.contract import Clock
from tests.service.stores.identity_contract import IDS_KEPT, LINKED, Stores, look
from tests.service.stores.stores import opened

TTL_S = 1000


@pytest.fixture
async def stores(server: RedisServer, clock: Clock) -> AsyncIterator[Stores]:
    async with opened(server.url) as client:
        sessions = RedisSessions(client, Keep(), clock)
        yield Stores(sessions, RedisIdentities(client, sessions, IDS_KEPT, TTL_S))


@pytest.fixture
def plain(server: RedisServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


def put(plain: redis.Redis, user: str, *links: str) -> None:
    """What a failure in the middle may leave at one end."""
    keys = UserKeys.of(user)
    plain.set(keys.session, pack_session(replace(EMPTY_SESSION, links=links), keys.check))


async def test_a_half_made_link_is_none_and_making_it_again_mends_it(
    stores: Stores, plain: redis.Redis
) -> None:
    put(plain, "u:ann", "a:phone")  # listed, not yet claimed
    assert (await look(stores, "u:ann")).ids == ("u:ann",)
    assert await stores.identities.link("u:bob", "a:phone") is LINKED
    await stores.identities.unlink("u:bob", "a:phone")
    assert await stores.identities.link("u:ann", "a:phone") is LINKED
    assert (await look(stores, "a:phone")).ids == ("u:ann", "a:phone")


class Failing(RedisIdentities):
    """Gets through `left` writes, then finds no Redis."""

    left = 0

    async def _edit(self, user: str, what: str, *texts: str) -> str:
        self.left -= 1
        if self.left < 0:
            raise StoreUnavailable("refused")
        return await super()._edit(user, what, *texts)


WORKS = ("link", "unlink", "forget")


@pytest.mark.parametrize("writes", range(5))
@pytest.mark.parametrize("what", WORKS)
async def test_a_failure_at_any_write_leaves_whole_links_or_none_and_repeating_mends_it(
    stores: Stores, server: RedisServer, clock: Clock, what: str, writes: int
) -> None:
    async with opened(server.url) as client:
        assert await stores.identities.link("u:ann", "a:tablet") is LINKED
        if what != "link":
            assert await stores.identities.link("u:ann", "a:phone") is LINKED
        failing = Failing(client, RedisSessions(client, Keep(), clock), IDS_KEPT, TTL_S)
        failing.left = writes
        phone = () if what == "forget" else ("a:phone",)
        with contextlib.suppress(StoreUnavailable):
            await getattr(failing, what)("u:ann", *phone)
        for one in ("a:phone", "a:tablet"):  # either end says the same
            is_linked = one in (await look(stores, "u:ann")).ids
            assert ((await look(stores, one)).user == "u:ann") is is_linked
        await getattr(stores.identities, what)("u:ann", *phone)
        left = {"link": {"a:phone", "a:tablet"}, "unlink": {"a:tablet"}, "forget": set()}[what]
        for user in ("u:ann", *left):
            assert set((await look(stores, user)).ids) == {"u:ann", *left}


async def test_a_claim_whose_account_is_gone_blocks_nobody(
    stores: Stores, plain: redis.Redis
) -> None:
    put(plain, "a:phone", "u:gone")
    assert (await look(stores, "a:phone")).ids == ("a:phone",)
    assert await stores.identities.link("u:bob", "a:phone") is LINKED
    assert (await look(stores, "a:phone")).user == "u:bob"


async def test_ids_that_missed_a_link_are_whole_one_request_later(
    stores: Stores, plain: redis.Redis
) -> None:
    await stores.identities.link("u:ann", "a:phone")
    await stores.identities.link("u:ann", "a:tablet")
    put(plain, "a:phone", "u:ann")  # it was never told of the tablet
    identify = Identify(100)
    first, second = [await look(stores, "a:phone", identify) for _ in range(2)]
    assert (first.user, first.unread, second.unread) == ("u:ann", 1, 0)
    assert set(second.ids) == {"u:ann", "a:phone", "a:tablet"}
