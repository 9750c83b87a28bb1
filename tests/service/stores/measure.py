"""Figures of the stores beside bare redis-py: `python -m tests.service.stores.measure`."""

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import uvloop
from redis.asyncio import Redis

from service.domain.events import Event
from service.stores.codec import Keep, pack_events, unpack_session
from service.stores.keys import UserKeys
from service.stores.redis import RECORD_SHA
from tests.redis_server import RedisServer, redis_server
from tests.service.stores.stores import opened, sessions

TYPES = ("view", "click", "purchase", "add_to_cart", "view", "view")
READS, ROUNDS, BATCH = 1500, 5, 500


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def events(user: str, start: int, n: int) -> list[Event]:
    first_s = time.time() - 10_000
    return [
        Event(f"{user}-{i}", TYPES[i % 6], user, f"{10_000 + i}A", first_s + i)
        for i in range(start, start + n)
    ]


async def wall_and_cpu_us(call: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Median time of a call and processor time per call, microseconds."""
    times, cpu_s = [], time.process_time()
    for _ in range(READS):
        began_s = time.perf_counter()
        await call()
        times.append(time.perf_counter() - began_s)
    return float(np.median(times)) * 1e6, (time.process_time() - cpu_s) / READS * 1e6


async def reads(server: RedisServer, kind: str) -> None:
    keys = UserKeys.of("u:1")
    async with opened(server.url) as client, Redis.from_url(server.url) as plain:
        store = sessions(client)
        await store.record(events("u:1", 0, 20))
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "bare GET, library defaults": lambda: plain.get(keys.session),
            "bare GET, bounded pool": lambda: client.reads.get(keys.session),
            "read()": lambda: store.read("u:1", 5.0),
        }
        taken = {
            name: [await wall_and_cpu_us(c) for _ in range(ROUNDS)] for name, c in calls.items()
        }
        for name, runs in taken.items():
            wall_us, cpu_us = np.median(np.array(runs), axis=0)
            say(f"{kind}: {name:27s} p50 {wall_us:5.0f} us, processor {cpu_us:4.0f} us")


def prepared(people: Sequence[str], start: int, each: int) -> list[tuple[bytes, ...]]:
    limits = Keep().pack(time.time())
    calls: list[tuple[bytes, ...]] = []
    for user in people:
        keys = UserKeys.of("bare" + user)
        packed = pack_events(events(user, start, each))
        calls.append((keys.session, keys.events, keys.check, limits, packed))
    return calls


async def writes(server: RedisServer, kind: str) -> None:
    async with opened(server.url) as client, Redis.from_url(server.url) as plain:
        store = sessions(client)
        for n in (1, 10, 50, 500):
            people, each = [f"w:{n}:{i}" for i in range(n)], BATCH // n
            ours, bare = [], []
            for turn in range(ROUNDS + 1):
                batch = [e for user in people for e in events(user, turn * each, each)]
                calls = prepared(people, turn * each, each)
                began_s = time.perf_counter()
                await store.record(batch)
                ours.append(time.perf_counter() - began_s)
                began_s = time.perf_counter()
                pipeline = plain.pipeline(transaction=False)
                for call in calls:
                    pipeline.execute_command("EVALSHA", RECORD_SHA, 2, *call)
                await pipeline.execute()
                bare.append(time.perf_counter() - began_s)
            ours_us, bare_us = (float(np.median(t)) / BATCH * 1e6 for t in (ours, bare))
            say(
                f"{kind}: {n:3d} people x {each:3d} events: record() {ours_us:5.1f} us an event, "
                f"bare pipeline {bare_us:5.1f}, ratio {bare_us / ours_us:.2f}"
            )


async def sizes(server: RedisServer) -> None:
    async with opened(server.url) as client:
        store = sessions(client)
        with server.client() as plain:
            version = plain.info("server")["redis_version"]
            for name, width in (("6", 6), ("36", 36)):
                user = f"m:{width}"
                batch = [
                    Event(f"e{i}", "view", user, str(i).zfill(width), time.time() - 99 + i)
                    for i in range(50)
                ]
                await store.record(batch)
                keys = UserKeys.of(user)
                size = sum(int(plain.memory_usage(k) or 0) for k in (keys.session, keys.events))
                say(
                    f"Redis {version}: 50 views of 50 items, ids of {name} characters: {size} bytes"
                )
            keys = UserKeys.of("u:1")
            data: Any = plain.get(keys.session)
        best = min(_decode_us(data, keys.check) for _ in range(30))
        say(f"decoding 20 actions: {best:.1f} us at best")


def _decode_us(data: bytes, check: bytes) -> float:
    began_s = time.perf_counter()
    for _ in range(500):
        unpack_session(data, check)
    return (time.perf_counter() - began_s) / 500 * 1e6


async def main() -> None:
    for tcp, kind in ((False, "unix"), (True, "tcp ")):
        with redis_server(tcp=tcp) as server:
            await reads(server, kind)
            await writes(server, kind)
            if not tcp:
                await sizes(server)


if __name__ == "__main__":
    uvloop.run(main())
