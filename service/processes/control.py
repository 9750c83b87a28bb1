"""The control socket of a service: one JSON object a line, and the client that asks over it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from service.domain.releases import HistoryEntry, ReleasesOverview, ReleaseState, ReleaseStatus
from service.errors import Busy, NotReady, ReleaseRefused, ServiceError, SetupInvalid

LINE_BYTES = 16 * 2**20
"""Longest line that is read; an overview of thousands of releases is far below it."""
Message = dict[str, Any]


def encode(message: Mapping[str, object]) -> bytes:
    """One line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The object of one line.

    Raises:
        ServiceError: it is none.
    """
    try:
        message = json.loads(line)
    except ValueError as error:
        raise ServiceError("a line on the control socket is not JSON") from error
    if not isinstance(message, dict):
        raise ServiceError("a line on the control socket is not a JSON object")
    return message


def encode_status(status: ReleaseStatus) -> Message:
    return {**asdict(status), "facts": dict(status.facts)}


def decode_status(message: Message) -> ReleaseStatus:
    return ReleaseStatus(**{**message, "state": ReleaseState(message["state"])})


def encode_overview(overview: ReleasesOverview) -> Message:
    return {
        "live": overview.live,
        "releases": [encode_status(status) for status in overview.releases],
        "history": [asdict(entry) for entry in overview.history],
    }


def decode_overview(message: Message) -> ReleasesOverview:
    return ReleasesOverview(
        live=message["live"],
        releases=tuple(decode_status(status) for status in message["releases"]),
        history=tuple(HistoryEntry(**entry) for entry in message["history"]),
    )


def encode_error(error: ServiceError) -> Message:
    """What `raise_error` raises again at the other end."""
    if isinstance(error, ReleaseRefused):
        return {"kind": "refused", "reason": error.reason, "detail": str(error)}
    kind = "busy" if isinstance(error, Busy) else "invalid"
    return {"kind": kind, "reason": "", "detail": str(error)}


def raise_error(error: Mapping[str, str]) -> None:
    """Raises the error that the other end met.

    Raises:
        ReleaseRefused: with its reason.
        Busy: another release is being loaded or activated.
        ServiceError: anything else.
    """
    if error["kind"] == "refused":
        raise ReleaseRefused(error["reason"], error["detail"])
    raise (Busy if error["kind"] == "busy" else ServiceError)(error["detail"])


def find_control(var_dir: Path) -> Path:
    """The control socket of the service that runs on this folder.

    Raises:
        SetupInvalid: none does.
    """
    try:
        return Path((var_dir / "run" / "control").read_text(encoding="utf-8"))
    except OSError as error:
        raise SetupInvalid(
            f"no service runs on {var_dir}: start one with `sightline serve`, or name its folder "
            "with SIGHTLINE_REDIS__VAR_DIR"
        ) from error


class ControlClient:
    """`service.ports.admin.ReleaseAdmin` from outside the supervisor; a connection per call.

    Every call may also raise NotReady: nobody answers at the socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def overview(self) -> ReleasesOverview:
        return decode_overview(await self.ask("overview"))

    async def load(self, name: str, by: str) -> ReleaseStatus:
        return decode_status(await self.ask("load", name=name, by=by))

    async def activate(self, name: str, by: str, force: str = "") -> ReleaseStatus:
        return decode_status(await self.ask("activate", name=name, by=by, force=force))

    async def rollback(self, by: str) -> ReleaseStatus:
        return decode_status(await self.ask("rollback", by=by))

    async def ask(self, do: str, **words: str) -> Message:
        """What the supervisor answers, however long it takes.

        Raises:
            NotReady: it does not answer.
            ServiceError: what `raise_error` says.
        """
        try:
            reply = await self._exchange(encode({"id": 1, "do": do, **words}))
        except OSError as error:
            reply = b""
            cause: OSError | None = error
        else:
            cause = None
        if not reply.endswith(b"\n"):
            raise NotReady(f"no service answers at {self._path}: is it running?") from cause
        message = decode(reply)
        if "error" in message:
            raise_error(message["error"])
        answer: Message = message["ok"]
        return answer

    async def _exchange(self, line: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self._path, limit=LINE_BYTES)
        try:
            writer.write(line)
            await writer.drain()
            return await reader.readline()
        finally:
            writer.close()
