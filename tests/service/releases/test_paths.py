"""F36: no name of a release or of one of its files leads out of the store, or to a network."""

import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from service.errors import ReleaseRefused, SetupInvalid
from service.releases.loader import load_release
from service.releases.local_store import CURRENT, LocalStore
from tests.service.releases.breaking import Json, change_manifest, refusal

TARGETS = ("etc", "etc/passwd", "secret/20231114-000000", "secret", "root")
WAYS = (
    *("../{}", "../../{}", "/{}", "//{}", "./../{}", "a/../../{}", "..//{}", "~/{}", "~root/{}"),
    *("%2e%2e/{}", "%2e%2e%2f{}", "..%2f{}", "..%252f{}", "%c0%ae%c0%ae/{}", "\u2025/{}"),
    *("..\\{}", "\\\\host\\{}", "C:\\{}", "file:///{}", "http://127.0.0.1:9/{}", "s3://bucket/{}"),
    *("a\0/../{}", "../{}\0", "\n../{}", "../{}\n", " ../{}", "$HOME/{}", "${{HOME}}/{}", "`{}`"),
    *("|{}", ";{}", "-{}", "\uff0e\uff0e/{}", "..;/{}", ".../.../{}", ".{}", "{}/..", "{}/../.."),
    *("{}/.", "/proc/self/root/{}", "/dev/fd/0/{}", "x/{}", "{}%00", "{}?a=b", "{}#a", "\ud800{}"),
)
PAYLOADS = [
    *(way.format(target) for way, target in itertools.product(WAYS, TARGETS)),
    *("", ".", "..", "/", "\0", "x" * 65, "x" * 5000, "/" * 5000, "../" * 1000, "a..b", "CURRENT"),
]

opened: list[str] | None = None
is_hooked = False


@contextmanager
def watched() -> Iterator[list[str]]:
    """Everything that this process opens or connects to meanwhile; hooks cannot be removed."""
    global opened, is_hooked  # noqa: PLW0603
    if not is_hooked:
        sys.addaudithook(_hook)
        is_hooked = True
    opened = found = []
    try:
        yield found
    finally:
        opened = None


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if opened is None:
        return
    if event in ("open", "os.listdir", "os.scandir"):
        opened.append(os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else "")
    elif event.startswith(("socket.connect", "socket.getaddrinfo", "urllib", "subprocess")):
        opened.append(f"{event} {arguments}")


def outside(found: list[str], root: Path) -> list[str]:
    return [name for name in found if name and not os.path.abspath(name).startswith(f"{root}/")]


@pytest.fixture
def store(release: Path, tmp_path: Path) -> Path:
    """A store beside which lies what nobody may read."""
    (tmp_path / "store").mkdir()
    (tmp_path / "CURRENT").rename(tmp_path / "store" / "CURRENT")
    release.rename(tmp_path / "store" / release.name)
    (tmp_path / "secret" / release.name).mkdir(parents=True)
    (tmp_path / "secret" / release.name / "manifest.json").write_text("{}")
    return tmp_path / "store"


def test_there_are_enough_payloads_and_the_hook_sees(store: Path) -> None:
    assert len(set(PAYLOADS)) >= 200
    with watched() as found:
        assert load_release(LocalStore(store).fetch("20231114-000000")).dim == 16
        (store / CURRENT).read_text()
    assert any(name.endswith("items.hnsw") for name in found)
    assert any(name.endswith(CURRENT) for name in found)


def test_no_name_of_a_release_leads_out_of_the_store(store: Path) -> None:
    for payload in PAYLOADS:
        with watched() as found, pytest.raises(ReleaseRefused) as refused:
            load_release(LocalStore(store).fetch(payload))
        assert refused.value.reason == "name", payload
        assert not found, payload


def test_no_current_leads_out_of_the_store(store: Path) -> None:
    for payload in PAYLOADS:
        (store / CURRENT).write_bytes(payload.encode(errors="surrogatepass"))
        with watched() as found, pytest.raises((SetupInvalid, ReleaseRefused)):
            load_release(LocalStore(store).fetch(LocalStore(store).current()))
        assert not outside(found, store), payload


def name_file(name: str, document: Json) -> None:
    document["files"][name] = document["files"]["ladder.json"]


def test_no_name_of_a_file_leads_out_of_the_release(store: Path) -> None:
    folder = store / "20231114-000000"
    clean = (folder / "manifest.json").read_bytes()
    for payload in PAYLOADS:
        change_manifest(folder, partial(name_file, payload))
        with watched() as found:
            assert refusal(folder)[0] == "manifest", payload
        assert found == [str(folder / "manifest.json")], payload
        (folder / "manifest.json").write_bytes(clean)


@pytest.mark.parametrize("name", ["manifest.json", "items.hnsw", "probes.npz"])
def test_no_link_is_followed(store: Path, name: str) -> None:
    folder = store / "20231114-000000"
    target = store.parent / "secret" / name
    (folder / name).rename(target)
    (folder / name).symlink_to(target)
    with watched() as found:
        assert refusal(folder)[0] == "name"
    assert not outside(found, store)
    assert not any(opened_name.endswith(f"/{name}") for opened_name in found)


def test_a_pipe_in_place_of_a_manifest_blocks_nobody(store: Path) -> None:
    folder = store / "20231114-000000"
    (folder / "manifest.json").unlink()
    os.mkfifo(folder / "manifest.json")
    assert refusal(folder)[0] == "name"
