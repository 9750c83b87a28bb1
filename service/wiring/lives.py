"""What goes on beside the answers, and ends with the part it belongs to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager


@asynccontextmanager
async def living(*lives: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs them beside the block, the first to begin being the last to end."""
    tasks = [asyncio.create_task(life) for life in lives]
    try:
        yield
    finally:
        for task in reversed(tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
