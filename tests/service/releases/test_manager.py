"""Which release is live, and what happens to the others."""

from pathlib import Path

import pytest

from models.building.store import publish, set_current
from service.errors import NotReady, ReleaseRefused, SetupInvalid
from service.releases.manager import ReleaseManager, ReleaseState, current_name
from tests.releases import make_draft, make_release, make_shop

FIRST, SECOND = "20231114-000000", "20231115-000000"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two releases; the first is current."""
    make_release(tmp_path, n_items=120, name=FIRST)
    publish(make_draft(make_shop(120, seed=2), seed=2, name=SECOND), tmp_path)
    set_current(tmp_path, FIRST)
    return tmp_path


def states(manager: ReleaseManager) -> dict[str, ReleaseState]:
    return {name: status.state for name, status in manager.states.items()}


def test_the_current_release_goes_live(store: Path) -> None:
    manager = ReleaseManager(store)
    assert manager.start().name == FIRST
    assert manager.live.name == FIRST
    assert states(manager) == {FIRST: ReleaseState.LIVE}


def test_a_named_release_goes_live_instead(store: Path) -> None:
    assert ReleaseManager(store).start(SECOND).embedding_version == "test-2"


def test_before_anything_is_live_nothing_is_ready(store: Path) -> None:
    manager = ReleaseManager(store)
    with pytest.raises(NotReady):
        _ = manager.live
    with pytest.raises(NotReady):
        manager.activate(FIRST)


def test_another_release_takes_over_when_it_is_activated(store: Path) -> None:
    manager = ReleaseManager(store)
    before = manager.start()
    manager.load(SECOND)
    assert manager.live is before
    assert states(manager) == {FIRST: ReleaseState.LIVE, SECOND: ReleaseState.STAGED}
    manager.activate(SECOND)
    assert manager.live.name == SECOND
    assert states(manager) == {FIRST: ReleaseState.PREVIOUS, SECOND: ReleaseState.LIVE}


def test_one_can_go_back(store: Path) -> None:
    manager = ReleaseManager(store)
    manager.start(SECOND)
    manager.activate(manager.load(FIRST).name)
    manager.activate(manager.load(SECOND).name)
    assert states(manager) == {FIRST: ReleaseState.PREVIOUS, SECOND: ReleaseState.LIVE}


def test_a_bad_release_is_refused_and_the_live_one_goes_on(store: Path) -> None:
    manager = ReleaseManager(store)
    before = manager.start()
    (store / SECOND / "items.hnsw").unlink()
    with pytest.raises(ReleaseRefused):
        manager.load(SECOND)
    assert manager.live is before
    status = manager.states[SECOND]
    assert (status.state, status.reason) == (ReleaseState.REFUSED, "missing")
    assert "items.hnsw" in status.detail


@pytest.mark.parametrize(
    "name", ["../etc", "/etc", "%2e%2e", "a\0b", "x" * 5000, "http://example.org/r", ""]
)
def test_a_name_that_leads_elsewhere_is_refused(store: Path, name: str) -> None:
    with pytest.raises(ReleaseRefused) as refused:
        ReleaseManager(store).load(name)
    assert refused.value.reason == "name"


def test_a_store_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupInvalid, match=r"is not a folder: build a release with"):
        ReleaseManager(tmp_path / "nowhere").start()


def test_a_store_without_current_is_one_sentence(store: Path) -> None:
    (store / "CURRENT").unlink()
    with pytest.raises(SetupInvalid, match="has no CURRENT"):
        ReleaseManager(store).start()


@pytest.mark.parametrize("content", [b"", b"../../etc\n", b"\xff\xfe"])
def test_a_current_that_names_no_release_is_one_sentence(store: Path, content: bytes) -> None:
    (store / "CURRENT").write_bytes(content)
    with pytest.raises(SetupInvalid, match="CURRENT"):
        current_name(store)


def test_a_current_that_names_a_missing_release_is_a_refusal(store: Path) -> None:
    set_current(store, "20990101-000000")
    with pytest.raises(ReleaseRefused) as refused:
        ReleaseManager(store).start()
    assert refused.value.reason == "missing"
