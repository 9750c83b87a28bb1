"""Real redis-server processes for tests: started, hung, killed and restarted at will."""

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import redis

from service.stores.servers import spawn, stop, wait_for


class RedisServer:
    """One server on a unix socket, or on a free TCP port of 127.0.0.1 with `tcp=True`.

    Keys are lost when it ends, unless it was given `--appendonly yes`. Further arguments are those
    of redis-server. `url` never carries the password.
    """

    def __init__(self, *arguments: str, tcp: bool = False, password: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sl-"))  # short: socket paths are limited
        self.port = _free_port() if tcp else 0
        self.path = str(self.folder / "redis.sock")
        self.arguments = [*arguments, *(["--requirepass", password] if password else [])]
        self.password = password
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0" if self.port else f"unix://{self.path}"

    def start(self) -> None:
        where = ["--bind", "127.0.0.1"] if self.port else ["--unixsocket", self.path]
        data = ["--dir", str(self.folder), "--save", ""]
        self.process = spawn(["--port", str(self.port), *where, *data, *self.arguments])
        assert wait_for(self._is_up, 10.0), "redis-server did not start"

    def start_bare(self) -> None:
        """With nothing but its own arguments, as a Sentinel is started."""
        self.process = spawn(self.arguments)
        assert wait_for(self._is_up, 10.0), "redis-server did not start"

    def stop(self) -> None:
        """Ends it in order; does nothing when it does not run."""
        if self.process is not None:
            self.resume()
            stop(self.process)
            self.process = None

    def kill(self) -> None:
        """As a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self) -> None:
        """Hangs it: it accepts connections and never replies."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """A plain client for looking at, and breaking, what is stored; close it after use."""
        return redis.Redis.from_url(self.url, socket_timeout=5, password=self.password or None)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_up(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False


@contextlib.contextmanager
def redis_server(*arguments: str, tcp: bool = False, password: str = "") -> Iterator[RedisServer]:
    """A started server that is gone afterwards."""
    server = RedisServer(*arguments, tcp=tcp, password=password)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
