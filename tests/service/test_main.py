"""The `sightline` command as a process: it starts, tells what to try, and ends cleanly."""

import logging
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.__main__ import main
from tests.journeys.running import PATIENT
from tests.releases import make_release

START_S = 30.0


@pytest.fixture(autouse=True)
def _undo() -> Iterator[None]:
    """`main` sets up logging and signals of its process, which here is that of the tests."""
    handlers, level = list(logging.root.handlers), logging.root.level
    on_end = signal.getsignal(signal.SIGTERM)
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    signal.signal(signal.SIGTERM, on_end)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    make_release(folder)
    return folder


@pytest.fixture
def process(store: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    arguments = ["serve", "--port", "0", "--store", str(store)]
    process = subprocess.Popen(
        [sys.executable, "-m", "service", *arguments],
        env={**PATIENT, "SIGHTLINE_REDIS__VAR_DIR": str(tmp_path / "var"), "PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def read_greeting(process: subprocess.Popen[str]) -> str:
    """Everything up to the line that says how to stop."""
    assert process.stdout is not None
    greeting = ""
    while "Ctrl-C" not in greeting:
        line = process.stdout.readline()
        assert line, f"it ended: {process.communicate()[1]}"
        greeting += line
    return greeting


@pytest.mark.redis
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_greets_answers_and_ends_with_code_0(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    greeting = read_greeting(process)
    address = re.search(r"http://localhost:\d+", greeting)
    body = re.search(r"-d '(.+)'", greeting)
    assert address
    assert body
    response = httpx.post(
        f"{address[0]}/v1/recommend",
        content=body[1],
        headers={"content-type": "application/json"},
    )
    assert response.json()["count"] == 5
    assert "server" not in response.headers
    process.send_signal(number)
    _, errors = process.communicate(timeout=START_S)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.redis
def test_a_port_in_use_ends_with_code_2(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", "--port", port, "--store", str(store)]) == 2
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_a_store_that_is_not_there_ends_with_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "none"
    assert main(["serve", "--port", "0", "--store", str(store)]) == 2
    assert str(store) in capsys.readouterr().err


def test_a_good_release_is_verified_check_by_check(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder,) = (path for path in store.iterdir() if path.is_dir())
    assert main(["release", "verify", str(folder)]) == 0
    assert "probes" in capsys.readouterr().out


def test_a_broken_release_is_refused_with_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_release(tmp_path / "store")
    (folder / "items.hnsw").write_bytes(b"broken")
    assert main(["release", "verify", str(folder)]) == 2
    assert "(checksum) items.hnsw is 6 bytes long" in capsys.readouterr().out
