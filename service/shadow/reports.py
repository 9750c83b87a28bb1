"""What a staged release found: asked of it while it is staged, and kept when it is not any more."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.shadow.samples import as_line
from service.shadow.sockets import LINE_BYTES, socket_of

WAIT_S = 5.0

Report = dict[str, Any]
"""See `service.shadow.replay.Replayer.report`."""


async def ask_report(folder: Path, release: str) -> Report | None:
    """The report of a staged release, or its last one; None where none was ever made."""
    path = socket_of(folder, release)
    try:
        async with asyncio.timeout(WAIT_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=LINE_BYTES)
            try:
                writer.write(as_line({"do": "report"}))
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        line = b""
    return json.loads(line) if line else _kept(folder, release)


def keep_report(folder: Path, report: Mapping[str, Any]) -> None:
    """Keeps the last report of a release, if anything was compared."""
    path = _place(folder, report["release"])
    with contextlib.suppress(OSError):  # the folder goes when the service ends
        if report["requests"]:
            path.with_suffix(".part").write_bytes(as_line(dict(report)))
            path.with_suffix(".part").replace(path)


def _kept(folder: Path, release: str) -> Report | None:
    try:
        report: Report = json.loads(_place(folder, release).read_bytes())
    except (OSError, ValueError):
        return None
    return report


def _place(folder: Path, release: str) -> Path:
    return socket_of(folder, release).with_suffix(".json")
