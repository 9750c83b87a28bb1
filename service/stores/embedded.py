"""A private redis-server for a service that was given no Redis: same code, no set-up."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from service.errors import SetupInvalid
from service.stores.servers import ask, spawn, stop, wait_for

SOCKET_PATH_BYTES = 100
"""A unix socket's path is limited to 103 (macOS) or 107 bytes."""
START_TIMEOUT_S = 30.0
LEFTOVER_TIMEOUT_S = 10.0


@contextlib.contextmanager
def embedded_redis(var_dir: Path) -> Iterator[str]:
    """Starts a private server whose data live under `var_dir`; gives its URL; stops it after.

    Raises:
        SetupInvalid: no server was found, it does not start, or `var_dir` is in use.
    """
    folder = _folder(var_dir)
    with _lock(folder, var_dir) as lock, _socket_folder(folder) as short:
        path = str(short / "redis.sock")
        process = _start(folder, path, lock)
        try:
            yield f"unix://{quote(path)}"
        finally:
            stop(process)


def running_redis(var_dir: Path) -> str | None:
    """The URL of the private server that a service runs on this folder; None if none does."""
    try:
        path = (var_dir.resolve() / "redis" / "socket").read_text()
    except OSError:
        return None
    return f"unix://{quote(path)}" if ask(path).startswith(b"+PONG") else None


def _folder(var_dir: Path) -> Path:
    folder = var_dir.resolve() / "redis"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupInvalid(
            f"the folder {folder} for the private Redis cannot be made ({error.strerror}); "
            "set SIGHTLINE_REDIS__VAR_DIR to a folder that can be written, or REDIS_URL"
        ) from error
    return folder


@contextlib.contextmanager
def _lock(folder: Path, var_dir: Path) -> Iterator[int]:
    """Holds the folder's lock; the server inherits it, so it lasts as long as either lives."""
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _take(file) and not _end_leftover(file, folder):
            raise SetupInvalid(
                f"another service (process {_owner(file)}) already uses {var_dir}; stop it, or "
                "set SIGHTLINE_REDIS__VAR_DIR to another folder, or REDIS_URL to a shared Redis"
            )
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        yield file
    finally:
        os.close(file)


def _take(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(file: int) -> int:
    text = os.pread(file, 32, 0)
    return int(text) if text.isdigit() else 0


def _end_leftover(file: int, folder: Path) -> bool:
    """Whether the lock could be had after ending a server whose service is gone."""
    owner = _owner(file)
    if not owner or _is_alive(owner):
        return False
    with contextlib.suppress(OSError):
        ask((folder / "socket").read_text(), b"SHUTDOWN\r\n")
    return wait_for(lambda: _take(file), LEFTOVER_TIMEOUT_S)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def _socket_folder(folder: Path) -> Iterator[Path]:
    """The folder itself, or a temporary one when its path is too long for a socket."""
    if len(os.fsencode(folder / "redis.sock")) <= SOCKET_PATH_BYTES:
        yield folder
        return
    short = Path(tempfile.mkdtemp(prefix="sightline-", dir=os.environ.get("XDG_RUNTIME_DIR")))
    try:
        yield short
    finally:
        shutil.rmtree(short, ignore_errors=True)


def _start(folder: Path, path: str, lock: int) -> subprocess.Popen[bytes]:
    (folder / "socket").write_text(path)
    process = spawn(_arguments(folder, path), pass_fds=[lock])
    is_up = wait_for(
        lambda: process.poll() is not None or ask(path).startswith(b"+PONG"), START_TIMEOUT_S
    )
    if process.poll() is not None or not is_up:
        stop(process)
        raise SetupInvalid(
            f"the private Redis did not start: {_last_line(folder / 'redis.log')}; "
            f"its log is {folder / 'redis.log'}"
        )
    return process


def _arguments(folder: Path, path: str) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": path,
        "unixsocketperm": "700",
        "dir": str(folder),
        "logfile": str(folder / "redis.log"),
        "loglevel": "notice",
        "databases": "1",
        "save": "",
        "appendonly": "yes",  # loses at most a second, also after kill -9
        "appendfsync": "everysec",
        "daemonize": "no",
    }
    return [word for key, value in settings.items() for word in (f"--{key}", value)]


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").split("\n")
    except OSError:
        return "it left no log"
    return next((line.strip() for line in reversed(lines) if line.strip()), "it left no log")
