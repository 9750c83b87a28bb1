"""`sightline release` without a service, and with one that is busy or gone: a sentence each."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.__main__ import main
from service.commands.tables import table
from service.processes.control import decode, encode

ASKING = (
    ("list",),
    ("history",),
    ("load", "x"),
    ("activate", "x"),
    ("activate", "x", "--force", "why"),
    ("rollback",),
    ("shadow", "x"),
)


@pytest.fixture(autouse=True)
def var_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIGHTLINE_REDIS__VAR_DIR", str(tmp_path / "var"))
    (tmp_path / "var" / "run").mkdir(parents=True)
    return tmp_path / "var"


@pytest.fixture
def busy(var_dir: Path) -> Iterator[None]:
    """A supervisor that is busy whatever it is asked."""
    path = var_dir / "run" / "c"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        (var_dir / "run" / "control").write_text(str(path))
        thread = threading.Thread(target=_refuse, args=(listener,))
        thread.start()
        yield
        thread.join()


def _refuse(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rwb") as lines:
        asked = decode(lines.readline())
        says = f"busy with load of x, not free for {asked['do']}"
        lines.write(encode({"id": 1, "error": {"kind": "busy", "reason": "", "detail": says}}))


@pytest.mark.parametrize("words", ASKING)
def test_without_a_service_the_sentence_says_so(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["release", *words]) == 2
    error = capsys.readouterr().err
    assert "no service runs on" in error
    assert "sightline serve" in error


@pytest.mark.parametrize("words", ASKING[:-1])
def test_a_service_that_died_is_no_service(
    words: tuple[str, ...], var_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (var_dir / "run" / "control").write_text(str(var_dir / "run" / "c"))
    assert main(["release", *words]) == 2
    assert "no service answers" in capsys.readouterr().err


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("words", [words for words in ASKING if words[0] not in ("shadow",)])
def test_a_busy_service_is_worth_another_try(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["release", *words]) == 3
    assert "busy with load of x" in capsys.readouterr().err


def test_without_a_staged_release_there_is_no_report(
    var_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (var_dir / "run" / "control").write_text(str(var_dir / "run" / "c"))
    assert main(["release", "shadow", "x"]) == 2
    assert "SIGHTLINE_RELEASES__SHADOW_SHARE" in capsys.readouterr().err


def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    assert table(("A", "LONGER"), [("xxx", None), ("x", 1)]) == "A    LONGER\nxxx\nx    1"
