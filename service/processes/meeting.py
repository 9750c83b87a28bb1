"""The folder where the processes of a service meet: sockets, and what they count."""

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

SOCKET_PATH_BYTES = 100
"""A unix socket's path is limited to 103 (macOS) or 107 bytes."""
SOCKET = "control.sock"
POINTER = "control"
"""Names the control socket to the command line (`service.processes.control.find_control`)."""

log = logging.getLogger(__name__)


@contextlib.contextmanager
def meeting_folder(var_dir: Path) -> Iterator[Path]:
    """`var_dir`/run; or a temporary folder if that is too long, in use, or cannot be written."""
    run = var_dir.resolve() / "run"
    with contextlib.ExitStack() as stack:
        is_ours = stack.enter_context(_locked(run))
        is_short = len(os.fsencode(run / SOCKET)) <= SOCKET_PATH_BYTES
        folder = run if is_ours and is_short else stack.enter_context(_temporary())
        if is_ours:
            stack.enter_context(_pointer(run / POINTER, folder / SOCKET))
        yield folder


@contextlib.contextmanager
def _locked(run: Path) -> Iterator[bool]:
    """Whether the folder is there and nobody else's."""
    try:
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        log.warning("%s cannot be used (%s): the command line will not find us", run, error)
        yield False
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        log.warning("another service uses %s: the command line will find that one, not us", run)
        yield False
    finally:
        os.close(lock)


@contextlib.contextmanager
def _temporary() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sightline-", dir=os.environ.get("XDG_RUNTIME_DIR")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _pointer(path: Path, target: Path) -> Iterator[None]:
    path.write_text(str(target), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
