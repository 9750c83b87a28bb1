"""A server that is just taking over a slot: it lets in only what comes with ASKING."""

from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AskError, MovedError


class AskingRedis:
    """Sends each command behind the ASKING that lets it in, in one round trip."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def execute_command(self, *command: Any) -> Any:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.execute_command("ASKING")
        pipeline.execute_command(*command)
        _, reply = await pipeline.execute(raise_on_error=False)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def script_load(self, script: str) -> Any:
        return await self.execute_command("SCRIPT LOAD", script)


@dataclass(frozen=True, slots=True)
class AskedNode:
    """What an ASK names; used for one operation, for the next key may not be there yet."""

    reads: AskingRedis
    writes: AskingRedis


def is_ask(error: object) -> bool:
    """Whether a server says that another one may have this key already."""
    return isinstance(error, AskError) and not isinstance(error, MovedError)
