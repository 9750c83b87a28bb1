"""Feels the pulse of a process: how late its event loop is, and what it uses."""

import asyncio

from service.monitoring.process_metrics import ProcessMetrics

BEAT_S = 0.25
LOOK_BEATS = 20
"""Memory and descriptors are read every 5 s: it takes a while, and they change slowly."""


async def feel_pulse(process: ProcessMetrics) -> None:
    """Runs until it is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        process.look()
        for _ in range(LOOK_BEATS):
            asked_s = loop.time()
            await asyncio.sleep(BEAT_S)
            now_s = loop.time()
            process.lagged(max(0.0, now_s - asked_s - BEAT_S), now_s)
