"""Releases are fetched whole or not at all, whatever happens to the store, the disk or us."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from service.errors import ReleaseRefused, SetupInvalid
from service.releases import cache as caches
from service.releases import remote
from service.releases.loader import load_release
from service.releases.manifest import FILE
from service.releases.remote_store import RemoteStore
from tests.object_server import BUCKET, ObjectServer

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


PATIENCE = {"connect_timeout": 0.3, "read_timeout": 0.3, "retries": {"max_attempts": 0}}


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    server = ObjectServer()
    yield server
    server.kill()


@pytest.fixture
def frail() -> Iterator[ObjectServer]:
    """A server of its own for a test that it may not outlive."""
    server = ObjectServer()
    yield server
    server.resume()
    server.kill()


@pytest.fixture
def store(
    request: pytest.FixtureRequest, tmp_path: Path, clean: Path, monkeypatch: pytest.MonkeyPatch
) -> RemoteStore:
    """A store that somebody else has put one release into; nothing is fetched yet."""
    monkeypatch.setitem(remote.S3_OPTIONS, "config_kwargs", PATIENCE)
    name = "frail" if "frail" in request.fixturenames else "server"
    request.getfixturevalue(name).use(monkeypatch)
    elsewhere = RemoteStore(f"s3://{BUCKET}/{tmp_path.name}", tmp_path / "elsewhere")
    elsewhere.workbench.mkdir(parents=True)
    shutil.copytree(clean, elsewhere.workbench / "made" / clean.name)
    elsewhere.add(elsewhere.workbench / "made" / clean.name)
    elsewhere.set_current(clean.name)
    return RemoteStore(f"s3://{BUCKET}/{tmp_path.name}", tmp_path / "cache")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def reason_of(ask: Callable[[str], object], name: str) -> str:
    with pytest.raises(ReleaseRefused) as refused:
        ask(name)
    assert "\n" not in str(refused.value)
    return refused.value.reason


@pytest.mark.parametrize("is_hung", [False, True])
def test_what_was_fetched_needs_no_store(
    store: RemoteStore, frail: ObjectServer, clean: Path, is_hung: bool
) -> None:
    folder, current = store.fetch(clean.name), store.current()
    frail.pause() if is_hung else frail.kill()
    assert store.fetch(clean.name) == folder
    assert store.manifest(clean.name).release == clean.name
    assert store.current() == current == clean.name
    assert load_release(folder).name == clean.name
    assert reason_of(store.fetch, "20990101-000000") == "incomplete"
    assert store.names() == (clean.name,)


def test_a_store_that_never_answered_is_one_sentence(
    store: RemoteStore, frail: ObjectServer
) -> None:
    frail.kill()
    with pytest.raises(SetupInvalid, match="check the network, the address and the credentials"):
        store.current()
    with pytest.raises(SetupInvalid, match="cannot be reached"):
        store.names()


def test_a_full_disk_is_refused_before_anything_is_copied(
    store: RemoteStore, clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(store.workbench.parent.parent).free
    monkeypatch.setattr(caches, "SPARE_BYTES", 2 * free)
    assert reason_of(store.fetch, clean.name) == "disk"
    assert not names(store.workbench)
    monkeypatch.setattr(caches, "SPARE_BYTES", 0)
    assert load_release(store.fetch(clean.name)).name == clean.name


def die_at_open(n: int, folder: Path) -> None:
    """Kills this process when it opens or renames its n-th file there."""
    opened = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal opened
        if event in ("open", "os.rename") and str(folder) in str(arguments[0]):
            opened += 1
            if opened == n:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def in_child(act: Callable[[], object]) -> int:
    """Runs something in a child process; gives its id."""
    child = os.fork()
    if not child:
        code = 1
        try:
            fsspec.filesystem("s3").clear_instance_cache()
            act()
            code = 0
        finally:
            os._exit(code)
    return child


@pytest.mark.parametrize("n", [1, 2, 4, 7, 10, 14, 20, 25])
def test_a_kill_while_fetching_leaves_nothing_that_looks_whole(
    store: RemoteStore, clean: Path, tmp_path: Path, n: int
) -> None:
    cache = store.workbench.parent

    def fetch() -> None:
        die_at_open(n, cache)
        RemoteStore(f"s3://{BUCKET}/{tmp_path.name}", cache).fetch(clean.name)

    os.waitpid(in_child(fetch), 0)
    for name in names(store.workbench):
        assert load_release(store.workbench / name).name == name
    kept = [path for path in store.workbench.glob(".partial-*/*") if path.name != FILE]
    whole = {path: path.stat().st_ino for path in kept if same(path, clean / path.name)}
    folder = store.fetch(clean.name)
    assert load_release(folder).name == clean.name
    assert all((folder / path.name).stat().st_ino == inode for path, inode in whole.items())


def same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def test_processes_that_fetch_at_once_get_the_same_folder(
    store: RemoteStore, clean: Path, tmp_path: Path
) -> None:
    cache = store.workbench.parent

    def fetch() -> None:
        load_release(RemoteStore(f"s3://{BUCKET}/{tmp_path.name}", cache).fetch(clean.name))

    children = [in_child(fetch) for _ in range(3)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert names(store.workbench) == {clean.name}
    assert not list(store.workbench.glob(".partial-*"))


def test_only_what_is_in_use_and_the_newest_are_kept(store: RemoteStore, clean: Path) -> None:
    first = store.fetch(clean.name)
    for day in range(15, 20):
        shutil.copytree(first, store.workbench / f"202311{day}-000000")
    (store.workbench / ".partial-20231120-000000").mkdir()
    (store.workbench / ".evicted-20231101-000000").mkdir()
    gone = store.evict({clean.name, "20231116-000000"})
    assert gone == ("20231115-000000", "20231117-000000")
    assert names(store.workbench) == {
        *(clean.name, "20231116-000000", "20231118-000000", "20231119-000000")
    }
    assert not [path for path in store.workbench.glob(".*") if path.is_dir()]
    assert store.evict({clean.name, "20231116-000000"}) == ()
