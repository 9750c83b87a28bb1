"""Publishing: all or nothing, whatever happens on the way."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.building.draft import Draft
from models.building.store import UNFINISHED, publish, release_name, set_current
from models.errors import PublishInvalid
from service.releases.loader import load_release
from service.releases.manager import current_name
from service.releases.manifest import is_release_name
from tests.releases import make_draft, make_release, make_shop

OLD, NEW = "20231114-000000", "20231115-000000"


@pytest.fixture(scope="module")
def draft() -> Draft:
    return make_draft(make_shop(n_items=60, dim=8), name=NEW)


def test_a_published_release_is_current_and_complete(draft: Draft, tmp_path: Path) -> None:
    folder = publish(draft, tmp_path / "store")
    assert load_release(folder).name == NEW
    assert current_name(tmp_path / "store") == NEW
    assert {path.name for path in (tmp_path / "store").iterdir()} == {NEW, "CURRENT"}


def test_the_same_draft_gives_the_same_bytes(tmp_path: Path) -> None:
    one = make_release(tmp_path / "one", n_items=60)
    two = make_release(tmp_path / "two", n_items=60)
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_a_release_is_never_overwritten(draft: Draft, tmp_path: Path) -> None:
    publish(draft, tmp_path)
    with pytest.raises(PublishInvalid, match="exists already"):
        publish(draft, tmp_path)


def test_a_bad_name_is_refused(draft: Draft, tmp_path: Path) -> None:
    bad = replace(draft, manifest=replace(draft.manifest, release="../elsewhere"))
    with pytest.raises(PublishInvalid, match="no release name"):
        publish(bad, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_release_that_the_service_would_refuse_does_not_become_current(
    draft: Draft, tmp_path: Path
) -> None:
    make_release(tmp_path, n_items=60, name=OLD)
    foreign = replace(draft, vectors=np.roll(draft.vectors, 1, axis=0))
    with pytest.raises(PublishInvalid, match="would be refused"):
        publish(foreign, tmp_path)
    assert current_name(tmp_path) == OLD
    assert not (tmp_path / NEW).exists()


def test_a_store_that_cannot_be_made_is_one_sentence(draft: Draft, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PublishInvalid, match="cannot be written"):
        publish(draft, tmp_path / "file" / "store")


def test_what_a_killed_run_left_is_cleared_by_the_next(draft: Draft, tmp_path: Path) -> None:
    left = tmp_path / f"{UNFINISHED}999999999-20230101-000000"
    left.mkdir()
    (left / "items.hnsw").write_bytes(b"half")
    publish(draft, tmp_path)
    assert not left.exists()


def die_after(n_steps: int, store: Path) -> None:
    """Kills this process at the n-th thing it does to the file system of the store."""
    steps = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal steps
        if event in ("open", "os.rename", "os.mkdir") and str(store) in str(arguments[0]):
            steps += 1
            if steps == n_steps:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("n_steps", [1, 2, 4, 7, 10, 12, 14, 16, 18, 20, 22, 24, 26, 30, 40, 60])
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_release(
    draft: Draft, tmp_path: Path, n_steps: int
) -> None:
    make_release(tmp_path, n_items=60, dim=8, name=OLD)
    child = os.fork()
    if not child:
        die_after(n_steps, tmp_path)
        publish(draft, tmp_path)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    name = current_name(tmp_path)
    assert name == (NEW if os.WIFEXITED(status) else name)
    assert name in (OLD, NEW)
    assert load_release(tmp_path / name).name == name
    if name == OLD:  # the next attempt is not in the way of what is left
        again = replace(draft, manifest=replace(draft.manifest, release="20231116-000000"))
        publish(again, tmp_path)
        assert current_name(tmp_path) == "20231116-000000"


def test_current_is_replaced_in_one_go(tmp_path: Path) -> None:
    set_current(tmp_path, OLD)
    set_current(tmp_path, NEW)
    assert [path.name for path in tmp_path.iterdir()] == ["CURRENT"]
    assert (tmp_path / "CURRENT").read_text() == f"{NEW}\n"


def test_names_made_from_the_time_are_release_names() -> None:
    assert is_release_name(release_name())
