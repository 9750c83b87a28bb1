"""What every store does, a folder as well as an object store.

`STORE_URL=gs://bucket/folder` runs all of it against one more store, with credentials from the
environment; what it leaves there may be deleted.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fsspec
import pytest

from service.errors import ReleaseRefused, SetupInvalid
from service.releases.loader import load_release
from service.releases.manifest import FILE, read_manifest
from service.releases.store import ReleaseStore, open_store
from tests.object_server import BUCKET, ObjectServer

NEXT = "20231115-000000"
BAD_NAMES = ("../etc", "/etc", "%2e%2e", "a\0b", "x" * 5000, "http://example.org/r", "", "a/b")


@dataclass
class Place:
    """A store, and ways to meddle with what it holds."""

    url: str
    cache: Path

    def open(self) -> ReleaseStore:
        return open_store(self.url, self.cache)

    def add(self, release: Path) -> None:
        """Puts a copy of a release into the store."""
        store = self.open()
        store.workbench.mkdir(parents=True, exist_ok=True)
        made = store.workbench / ".unfinished" / release.name
        shutil.copytree(release, made)
        store.add(made)

    def write(self, path: str, content: bytes) -> None:
        with fsspec.open(f"{self.url}/{path}", "wb") as file:
            file.write(content)

    def remove(self, path: str) -> None:
        files, root = fsspec.core.url_to_fs(self.url)
        files.rm(f"{root}/{path}")


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    server = ObjectServer()
    yield server
    server.kill()


STORES = ["folder", "file", "s3", *filter(None, [os.environ.get("STORE_URL")])]


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty store."""
    folder = tmp_path / "store"
    folder.mkdir()
    if request.param == "s3":
        request.getfixturevalue("server").use(monkeypatch)
        return Place(f"s3://{BUCKET}/{tmp_path.name}", tmp_path / "cache")
    if "://" in request.param:
        return Place(f"{request.param}/{time.time_ns()}", tmp_path / "cache")
    prefix = "file://" if request.param == "file" else ""
    return Place(f"{prefix}{folder}", tmp_path / "cache")


def test_what_was_added_is_listed_fetched_and_loads(place: Place, clean: Path) -> None:
    place.add(clean)
    store = place.open()
    assert store.names() == (clean.name,)
    assert store.manifest(clean.name) == read_manifest(clean / FILE)
    assert load_release(store.fetch(clean.name)).name == clean.name


def test_what_another_machine_added_is_fetched_whole(place: Place, clean: Path) -> None:
    place.add(clean)
    elsewhere = open_store(place.url, place.cache.with_name("another"))
    folder = elsewhere.fetch(clean.name)
    assert {path.name for path in folder.iterdir()} == {path.name for path in clean.iterdir()}
    assert load_release(folder).name == clean.name


def test_a_release_is_never_replaced(place: Place, clean: Path) -> None:
    place.add(clean)
    with pytest.raises(FileExistsError):
        place.add(clean)


def test_current_is_what_was_set_last(place: Place, clean: Path) -> None:
    place.add(clean)
    for name in (clean.name, NEXT):
        place.open().set_current(name)
        assert place.open().current() == name


def test_an_empty_store_has_no_releases_and_no_current(place: Place) -> None:
    assert place.open().names() == ()
    with pytest.raises(SetupInvalid, match="has no CURRENT: build a release with"):
        place.open().current()


def test_a_store_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupInvalid, match="is not a folder: build a release with"):
        open_store(str(tmp_path / "nowhere"), tmp_path).current()


@pytest.mark.parametrize("content", [b"", b"\n", b"../../etc\n", b"\xff\xfe"])
def test_a_current_that_names_no_release_is_one_sentence(place: Place, content: bytes) -> None:
    place.write("CURRENT", content)
    with pytest.raises(SetupInvalid, match="CURRENT holds"):
        place.open().current()


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_leads_elsewhere_is_refused(place: Place, name: str) -> None:
    for ask in (place.open().fetch, place.open().manifest):
        with pytest.raises(ReleaseRefused) as refused:
            ask(name)
        assert refused.value.reason == "name"


def test_a_release_that_is_not_there_is_missing(place: Place) -> None:
    for ask in (place.open().fetch, place.open().manifest):
        with pytest.raises(ReleaseRefused) as refused:
            ask(NEXT)
        assert refused.value.reason == "missing"


def test_a_half_written_release_is_not_listed(place: Place, clean: Path) -> None:
    place.add(clean)
    place.write(f"{NEXT}/items.hnsw", b"half")
    place.write(f".unfinished-1/{NEXT}/{FILE}", b"{}")
    assert place.open().names() == (clean.name,)


def test_a_file_that_is_gone_is_missing(place: Place, clean: Path) -> None:
    place.add(clean)
    place.remove(f"{clean.name}/items.hnsw")
    elsewhere = open_store(place.url, place.cache.with_name("another"))
    with pytest.raises(ReleaseRefused) as refused:
        load_release(elsewhere.fetch(clean.name))
    assert refused.value.reason == "missing"


def test_a_file_that_was_changed_is_refused(place: Place, clean: Path) -> None:
    place.add(clean)
    path = f"{clean.name}/items.hnsw"
    content = (clean / "items.hnsw").read_bytes()
    for wrong in (content[:-1], content + b"x", content[:-1] + bytes([content[-1] ^ 1])):
        place.write(path, wrong)
        elsewhere = open_store(place.url, place.cache.with_name("another"))
        with pytest.raises(ReleaseRefused) as refused:
            load_release(elsewhere.fetch(clean.name))
        assert refused.value.reason == "checksum"


def test_a_process_without_native_libraries_can_use_a_folder_history_and_gate() -> None:
    """The supervisor must not be brought down, or fattened, by any of them."""
    heavy = "'numpy', 'hnswlib', 'onnxruntime', 'pyarrow', 'fsspec'"
    code = (
        "import sys, service.releases.store, service.releases.history, service.releases.gate\n"
        f"sys.exit(' '.join(name for name in ({heavy}) if name in sys.modules) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("gs://bucket/releases", r"pip install 'sightline\[gcs\]'"),
        ("zork://bucket/releases", "Protocol not known: zork"),
    ],
)
def test_a_url_that_cannot_be_used_is_one_sentence(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(SetupInvalid, match=said):
        open_store(url, tmp_path)
