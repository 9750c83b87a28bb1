"""B: the bare core calls of one answer in a Python loop, without HTTP and without any feature."""

import time
from collections.abc import Sequence

import orjson
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from loadtest.reference.bundle import Bundle, session_key, unpack


async def core_calls(
    bundle: Bundle, redis_url: str, user_ids: Sequence[str], k: int
) -> list[float]:
    """One Redis round trip, one tower run, one search, one encoding for each user in turn.

    Returns:
        Milliseconds of each.
    """
    client = redis.from_url(redis_url, retry=Retry(NoBackoff(), 0))
    durations_ms = []
    for user_id in user_ids:
        started = time.perf_counter()
        actions = unpack(await client.get(session_key(user_id)))
        labels, distances = bundle.index.knn_query(bundle.embed(actions), k=k, num_threads=1)
        scores = (1.0 - distances[0]).tolist()
        found = zip(labels[0].tolist(), scores, strict=True)
        orjson.dumps([{"item_id": bundle.item_ids[row], "score": score} for row, score in found])
        durations_ms.append((time.perf_counter() - started) * 1000)
    await client.aclose()
    return durations_ms
