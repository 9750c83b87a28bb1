"""F37: a publish that is killed at any moment; see tests/service/releases/test_races.py too."""

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

from models.building.draft import Draft
from models.building.store import publish, set_current
from service.releases.loader import load_release
from service.releases.local_store import LocalStore
from tests.releases import make_draft, make_shop

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

OLD, NEW = "20231114-000000", "20231115-000000"
N_KILLS = 50
WRITING = {
    *("fsync", "mkdir", "open", "rename", "replace", "rmdir", "save_index", "unlink"),
    *("write", "write_text", "close"),
}
"""C functions that change what is on disk; most kills strike right before or after one."""


def named(draft: Draft, name: str) -> Draft:
    return replace(draft, manifest=replace(draft.manifest, release=name))


@pytest.fixture(scope="module")
def draft() -> Draft:
    return make_draft(make_shop(n_items=60, dim=8))


def watch(see: Callable[[str], None]) -> None:
    """Calls `see` with the name of every C function that is entered or left from here on."""

    def profile(_: FrameType, event: str, function: object) -> None:
        if event.startswith("c_"):
            see(getattr(function, "__name__", ""))

    sys.setprofile(profile)


def in_child(act: Callable[[], None]) -> int:
    """Runs something in a copy of this process; gives how it ended."""
    child = os.fork()
    if not child:
        try:
            act()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1]


def moments(draft: Draft, store: Path) -> list[int]:
    """Random moments of a publish, as numbers of C calls and returns: mostly those that write."""
    seen: list[str] = []
    watch(seen.append)
    publish(draft, store)
    sys.setprofile(None)
    random_ = random.Random(37)
    writing = [n for n, name in enumerate(seen) if name in WRITING]
    anywhere = random_.sample(range(len(seen)), 5)
    after_the_flip = writing[-3:]
    return [*random_.sample(writing, N_KILLS), *anywhere, *after_the_flip]


def publish_until(moment: int, draft: Draft, store: Path) -> None:
    """Publishes, and kills this process at a moment."""
    left = moment

    def see(_: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    watch(see)
    publish(draft, store)


def test_a_kill_at_any_moment_of_publishing_leaves_the_old_or_the_new_release(
    draft: Draft, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path)
    whole = {path.name for path in publish(named(draft, OLD), tmp_path).folder.iterdir()}
    found, n_killed = [], 0
    for moment in moments(named(draft, NEW), tmp_path):
        clear(tmp_path)
        status = in_child(partial(publish_until, moment, named(draft, NEW), tmp_path))
        assert os.WIFSIGNALED(status) or status == 0, moment  # 0: it was faster this time
        assert store.current() in ((OLD, NEW) if status else (NEW,)), moment
        for name in store.names():
            assert {path.name for path in (tmp_path / name).iterdir()} == whole
            assert load_release(tmp_path / name).name == name, moment
        found.append(store.current())
        n_killed += status != 0
    assert n_killed >= N_KILLS
    assert {OLD, NEW} == set(found)  # kills struck before and after the flip
    publish(named(draft, "20231117-000000"), tmp_path)
    assert not list(tmp_path.glob(".*"))


def clear(store: Path) -> None:
    """Makes the old release the only one again, so that every publish takes the same steps."""
    set_current(store, OLD)
    for path in store.iterdir():
        if path.is_dir() and path.name != OLD:
            shutil.rmtree(path)
