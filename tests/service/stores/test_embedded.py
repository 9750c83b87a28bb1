import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from service.errors import SetupInvalid
from service.stores.embedded import embedded_redis
from service.stores.servers import find_server

ROOT = Path(__file__).parents[3]
HOLD = """
import sys
from pathlib import Path
from service.stores import servers
from service.stores.embedded import embedded_redis
if len(sys.argv) > 2:
    servers._die_with_parent = lambda: None
with embedded_redis(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def service(var_dir: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process with a private Redis; gives the process and the URL."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(var_dir), *options],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def answers(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def server_pid(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_ends_with_the_block_and_keeps_its_data(tmp_path: Path) -> None:
    with embedded_redis(tmp_path) as url:
        with redis.Redis.from_url(url) as client:
            client.set("k", "v")
        process = server_pid(url)
    assert is_gone(process)
    with embedded_redis(tmp_path) as url, redis.Redis.from_url(url) as client:
        assert client.get("k") == b"v"


def test_only_its_owner_may_use_the_socket(tmp_path: Path) -> None:
    with embedded_redis(tmp_path) as url:
        path = Path(url.removeprefix("unix://"))
        assert path.stat().st_mode & 0o077 == 0
        with redis.Redis.from_url(url) as client:
            assert client.config_get("port")["port"] == "0"


def test_a_long_path_gets_a_short_socket_that_is_cleaned_up(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    with embedded_redis(long) as url:
        path = Path(url.removeprefix("unix://"))
        assert len(os.fsencode(path)) <= 100
        assert answers(url)
    assert not path.parent.exists()
    assert list((long / "redis").glob("appendonly*"))


def test_a_folder_name_with_odd_characters_works(tmp_path: Path) -> None:
    with embedded_redis(tmp_path / "a b%20ü?#") as url:
        assert answers(url)


def test_a_second_service_on_the_same_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with service(tmp_path) as (process, url):
        sentence = f"process {process.pid}.*already uses"
        with pytest.raises(SetupInvalid, match=sentence) as refused, embedded_redis(tmp_path):
            pass
        assert "\n" not in str(refused.value)
        assert answers(url)


def test_it_dies_with_a_killed_service_and_the_next_one_takes_over(tmp_path: Path) -> None:
    with service(tmp_path) as (process, url):
        with redis.Redis.from_url(url) as client:
            client.set("k", "v")
        server = server_pid(url)
        process.kill()
        process.wait()
        with embedded_redis(tmp_path) as again, redis.Redis.from_url(again) as client:
            assert client.get("k") == b"v"
            assert server_pid(again) != server


def test_a_leftover_server_is_ended_first(tmp_path: Path) -> None:
    """Where no signal reaches the server when the service dies, as on macOS."""
    with service(tmp_path, "outlived") as (process, url):
        server = server_pid(url)
        process.kill()
        process.wait()
        assert answers(url)
        with embedded_redis(tmp_path) as again:
            assert server_pid(again) != server


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(tmp_path: Path) -> None:
    with embedded_redis(tmp_path) as url:
        assert os.getpgid(server_pid(url)) != os.getpgid(0)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupInvalid, match="cannot be made"), embedded_redis(tmp_path / "file"):
        pass


def test_data_that_cannot_be_loaded_are_one_sentence_with_the_log(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "appendonly.aof").write_bytes(b"this is no log of commands\n" * 9)
    with (
        pytest.raises(SetupInvalid, match=r"did not start: .*redis\.log"),
        embedded_redis(tmp_path),
    ):
        pass
    shutil.rmtree(tmp_path / "redis")
    with embedded_redis(tmp_path) as url:
        assert answers(url)


def test_without_any_server_the_sentence_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SetupInvalid, match="REDIS_URL"):
        find_server()


def test_a_server_on_the_path_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    binary = tmp_path / "redis-server"
    binary.symlink_to(find_server())
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_server() == binary
