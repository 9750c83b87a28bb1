"""Publishing: all or nothing, and nothing worse than before unless somebody says why."""

import os
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.building import store as building
from models.building.draft import Draft
from models.building.store import NOT_CURRENT, publish, release_name, set_current
from models.errors import PublishInvalid
from service.releases.gate import compare
from service.releases.loader import load_release
from service.releases.local_store import UNFINISHED, LocalStore
from service.releases.manifest import FILE, is_release_name, read_manifest
from service.releases.store import open_store
from tests.object_server import BUCKET, ObjectServer
from tests.releases import make_draft, make_release, make_shop

OLD, NEW = "20231114-000000", "20231115-000000"
REFUSED = 7


@pytest.fixture(scope="module")
def draft() -> Draft:
    return make_draft(make_shop(n_items=60, dim=8), name=NEW)


def current(store: Path) -> str:
    return LocalStore(store).current()


def test_a_published_release_is_current_and_complete(draft: Draft, tmp_path: Path) -> None:
    published = publish(draft, tmp_path / "store")
    assert load_release(published.folder).name == NEW
    assert current(tmp_path / "store") == NEW
    assert (published.is_current, published.exit_code) == (True, 0)
    assert {path.name for path in (tmp_path / "store").iterdir()} == {NEW, "CURRENT"}


def test_the_same_draft_gives_the_same_bytes(tmp_path: Path) -> None:
    one = make_release(tmp_path / "one", n_items=60)
    two = make_release(tmp_path / "two", n_items=60)
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_a_release_is_never_overwritten(draft: Draft, tmp_path: Path) -> None:
    publish(draft, tmp_path)
    with pytest.raises(PublishInvalid, match=f"has a release {NEW} already"):
        publish(draft, tmp_path)
    (tmp_path / "20231116-000000").mkdir()
    other = replace(draft, manifest=replace(draft.manifest, release="20231116-000000"))
    with pytest.raises(PublishInvalid, match="already"):
        publish(other, tmp_path)


def test_a_bad_name_is_refused(draft: Draft, tmp_path: Path) -> None:
    bad = replace(draft, manifest=replace(draft.manifest, release="../elsewhere"))
    with pytest.raises(PublishInvalid, match="no release name"):
        publish(bad, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_release_that_the_service_would_refuse_is_not_published(
    draft: Draft, tmp_path: Path
) -> None:
    make_release(tmp_path, n_items=60, name=OLD)
    foreign = replace(draft, vectors=np.roll(draft.vectors, 1, axis=0))
    with pytest.raises(PublishInvalid, match="would be refused"):
        publish(foreign, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {OLD, "CURRENT"}


def test_a_worse_release_is_published_but_not_made_current(draft: Draft, tmp_path: Path) -> None:
    make_release(tmp_path, n_items=100, dim=8, name=OLD)
    published = publish(draft, tmp_path)
    assert (published.is_current, published.exit_code) == (False, NOT_CURRENT)
    assert current(tmp_path) == OLD
    assert load_release(published.folder).name == NEW
    (objection,) = published.verdict.objections
    assert "60 items after 100 (-40.0%)" in objection


def test_a_reason_makes_it_current_all_the_same_and_is_kept(draft: Draft, tmp_path: Path) -> None:
    old = make_release(tmp_path, n_items=100, dim=8, name=OLD)
    published = publish(draft, tmp_path, force="the winter range is gone")
    assert current(tmp_path) == NEW
    assert published.verdict.objections
    found = read_manifest(published.folder / FILE)
    assert found.data["forced"] == "the winter range is gone"
    verdict = compare(found, read_manifest(old / FILE))  # as a service that follows CURRENT
    assert not verdict.objections
    assert "the winter range is gone" in verdict.remarks[0]


def test_a_needless_reason_leaves_no_trace(draft: Draft, tmp_path: Path) -> None:
    make_release(tmp_path, n_items=60, dim=8, name=OLD)
    published = publish(draft, tmp_path, force="just in case")
    assert "forced" not in read_manifest(published.folder / FILE).data


def test_a_store_that_cannot_be_made_is_one_sentence(draft: Draft, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PublishInvalid, match="cannot be written"):
        publish(draft, tmp_path / "file" / "store")


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_disk_that_takes_no_more_leaves_the_old_release(draft: Draft, tmp_path: Path) -> None:
    """No file of the publishing process may grow beyond 4 KiB, as if the disk were full."""
    make_release(tmp_path, n_items=60, dim=8, name=OLD)
    child = os.fork()
    if not child:  # the limit would also hold for what the tests print
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            publish(draft, tmp_path)
        except (PublishInvalid, RuntimeError):
            os._exit(REFUSED)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == REFUSED
    assert current(tmp_path) == OLD
    assert {path.name for path in tmp_path.iterdir()} == {OLD, "CURRENT"}


def test_what_a_killed_run_left_is_cleared_by_the_next(draft: Draft, tmp_path: Path) -> None:
    left = tmp_path / f"{UNFINISHED}999999999" / "20230101-000000"
    left.mkdir(parents=True)
    (left / "items.hnsw").write_bytes(b"half")
    (tmp_path / f"{UNFINISHED}999999999-CURRENT").write_text("half")
    publish(draft, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {NEW, "CURRENT"}


def test_a_release_is_published_to_an_object_store(
    draft: Draft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ObjectServer()
    try:
        server.use(monkeypatch)
        monkeypatch.setattr(building, "CACHE", tmp_path / "cache")
        url = f"s3://{BUCKET}/shop"
        assert load_release(publish(draft, url).folder).name == NEW
        elsewhere = open_store(url, tmp_path / "another machine")
        assert load_release(elsewhere.fetch(elsewhere.current())).name == NEW
        with pytest.raises(PublishInvalid, match="already"):
            publish(draft, url)
        smaller = make_draft(make_shop(n_items=30, dim=8), name="20231116-000000")
        assert not publish(smaller, url).is_current
        assert elsewhere.current() == NEW
        assert elsewhere.names() == (NEW, "20231116-000000")
    finally:
        server.kill()


def test_current_is_replaced_in_one_go(tmp_path: Path) -> None:
    set_current(tmp_path, OLD)
    set_current(tmp_path, NEW)
    assert [path.name for path in tmp_path.iterdir()] == ["CURRENT"]
    assert (tmp_path / "CURRENT").read_text() == f"{NEW}\n"


def test_names_made_from_the_time_are_release_names() -> None:
    assert is_release_name(release_name())
