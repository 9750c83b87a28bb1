"""`sightline events import` against real servers; as a process where something dies on the way."""

import asyncio
import gzip
import io
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.__main__ import main
from service.stores.cluster import open_client
from service.stores.codec import Keep
from service.stores.embedded import embedded_redis
from service.stores.redis import RedisSessions
from service.stores.servers import wait_for
from tests.redis_server import RedisServer, redis_server
from tests.service.stores.contract import READ_S, Clock
from tests.service.stores.stores import options

HEAD = "user_id,item_id,event_type,timestamp\n"
START_S = 1_600_000_000
PEOPLE, EACH = 200, 25


def history(path: Path) -> Path:
    """Events of many people, one each in turn."""
    lines = (f"u{n % PEOPLE},i{n // PEOPLE},view,{START_S + n}\n" for n in range(PEOPLE * EACH))
    path.write_bytes(gzip.compress((HEAD + "".join(lines)).encode(), 1))
    return path


def command(path: Path, url: str | None, *more: str) -> list[str]:
    where = () if url is None else ("--redis-url", url)
    late = ("--late-after-days", "20000")
    return [sys.executable, "-m", "service", "events", "import", str(path), *where, *late, *more]


@dataclass(frozen=True)
class Told:
    returncode: int
    stdout: str
    stderr: str


def run(path: Path, url: str | None, *more: str) -> Told:
    """The command in this process; starting another one takes seconds."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = main(command(path, url, *more)[3:])
    return Told(code, out.getvalue(), err.getvalue())


def counts(told: str) -> dict[str, int]:
    """The tally, after checking that it adds up."""
    found = {word: int(n.replace(",", "")) for n, word in re.findall(r"([\d,]+) ([a-z]+)", told)}
    parts = (found["stored"], found["duplicates"], found["rejected"], found["lost"])
    assert found["sent"] == sum(parts)
    return found


@contextmanager
def importing(path: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command(path, url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


EVERYBODY = tuple(f"u:u{n}" for n in range(PEOPLE))


def lengths(url: str, users: Sequence[str] = EVERYBODY) -> set[int]:
    """How many interactions were counted per person."""
    return asyncio.run(_lengths(url, users))


async def _lengths(url: str, users: Sequence[str]) -> set[int]:
    async with open_client(options(url)) as client:
        store = RedisSessions(client, Keep(), Clock())
        return {(await store.read(user, READ_S)).n_interactions for user in users}


def content(server: RedisServer) -> dict[bytes, object]:
    with server.client() as plain:
        return {key: plain.get(key) for key in plain.scan_iter()}


def invoices(path: Path, n: int) -> Path:
    """A buyer of n lines, up to 40 at one instant, every ninth brought back; and a reader."""
    kinds = ("purchase",) * 8 + ("return",)
    lines = [f"busy,i{(k * 7) % 900},{kinds[k % 9]},{START_S + k // 40 * 3600}\n" for k in range(n)]
    lines += [
        f"reader,i{k % 700},{('view', 'impression')[k % 2]},{START_S + k}\n" for k in range(n)
    ]
    path.write_text(HEAD + "".join(lines))
    return path


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    path = history(tmp_path / "events.csv.gz")
    with redis_server() as server:
        first = run(path, server.url)
        assert first.returncode == 0, first.stderr
        assert counts(first.stdout)["stored"] == PEOPLE * EACH
        before = content(server)
        assert len(before) == 2 * PEOPLE
        again = run(path, server.url)
        assert counts(again.stdout)["duplicates"] == PEOPLE * EACH
        assert content(server) == before
        assert lengths(server.url) == {EACH}


@pytest.mark.parametrize("is_backwards", [False, True], ids=["in order", "backwards"])
def test_importing_the_busiest_twice_changes_nothing_at_all(
    tmp_path: Path, is_backwards: bool
) -> None:
    """Far more than the store remembers ids, actions and marks of."""
    path, n = invoices(tmp_path / "events.csv", 2400), 2400
    if is_backwards:
        head, *lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join([head, *reversed(lines)]))
    with redis_server() as server:
        assert counts(run(path, server.url).stdout)["sent"] == 2 * n
        before = content(server)
        assert len(before) == 4
        assert counts(run(path, server.url).stdout)["duplicates"] == 2 * n
        assert content(server) == before
        with server.client() as plain:  # as after a day
            plain.delete(*plain.scan_iter("*:events"))
        assert counts(run(path, server.url).stdout)["duplicates"] == 2 * n
        assert content(server).items() <= before.items()
        if not is_backwards:
            assert lengths(server.url, ["u:busy", "u:reader"]) == {n, n / 2}


def test_killing_redis_in_the_middle_loses_nothing_that_was_acknowledged(
    tmp_path: Path,
) -> None:
    path = history(tmp_path / "events.csv.gz")
    with (
        redis_server("--appendonly", "yes", "--appendfsync", "always", tcp=True) as server,
        importing(path, server.url) as process,
    ):
        for enough in (250, 600):
            assert wait_for(lambda n=enough: _writes(server) >= n, 30.0)  # type: ignore[misc]
            server.kill()
            server.start()
        told, complaints = process.communicate(timeout=90)
        assert process.returncode == 0, complaints
        assert counts(told)["lost"] == 0
        assert lengths(server.url) == {EACH}
        assert counts(run(path, server.url).stdout)["duplicates"] == PEOPLE * EACH


def test_an_import_that_gave_up_says_what_is_lost_and_is_mended_by_running_it_again(
    tmp_path: Path,
) -> None:
    path = history(tmp_path / "events.csv.gz")
    with redis_server("--appendonly", "yes", "--appendfsync", "always", tcp=True) as server:
        server.kill()
        gave_up = run(path, server.url, "--wait-s", "0.2")
        assert gave_up.returncode == 1
        assert counts(gave_up.stdout)["lost"] == counts(gave_up.stdout)["sent"] == 1000
        assert "Run the same command again" in gave_up.stderr
        server.start()
        assert counts(run(path, server.url).stdout)["stored"] == PEOPLE * EACH


def test_an_import_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    path = history(tmp_path / "events.csv.gz")
    with redis_server(tcp=True) as server:
        with importing(path, server.url) as process:
            assert wait_for(lambda: _writes(server) >= 300, 30.0)
            process.kill()
        again = counts(run(path, server.url).stdout)
        assert again["stored"] + again["duplicates"] == PEOPLE * EACH
        assert lengths(server.url) == {EACH}


def test_bad_rows_are_counted_and_shown_and_the_others_stored(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    good = f"u,i,view,{START_S}\n"
    path.write_text(HEAD + good + "u,i,rate,1600000000\nu,i,view,\n,i,view,1600000000\n" + good)
    with redis_server() as server:
        told = run(path, server.url)
        assert told.returncode == 0
        assert told.stdout == "5 sent = 1 stored + 1 duplicates + 3 rejected (3 invalid) + 0 lost\n"
        assert "line 3: invalid: event_type" in told.stderr
        late = run(path, server.url, "--late-after-days", "100")
        assert "2 late" in late.stdout
        assert "--late-after-days" in late.stderr


def test_the_private_server_of_a_running_service_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("SIGHTLINE_REDIS__VAR_DIR", str(tmp_path / "var"))
    path = history(tmp_path / "events.csv.gz")
    with embedded_redis(tmp_path / "var") as url:
        assert counts(run(path, None).stdout)["stored"] == PEOPLE * EACH
        assert lengths(url) == {EACH}
    assert counts(run(path, None).stdout)["duplicates"] == PEOPLE * EACH


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    told = run(tmp_path / "none.csv", None)
    assert told.returncode == 2
    assert len(told.stderr.strip().splitlines()) == 1


def _writes(server: RedisServer) -> int:
    """Calls of the script since the server was started."""
    with server.client() as plain:
        return int(plain.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])
