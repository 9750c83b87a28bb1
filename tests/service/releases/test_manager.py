"""One process alone: what it serves from the start, and what it refuses to; see `AdminContract`."""

from pathlib import Path

import pytest

from models.building.store import publish, set_current
from service.errors import NotReady, ReleaseRefused, SetupInvalid
from service.releases.manager import SingleRelease
from service.releases.store import open_store
from tests.releases import make_draft, make_release, make_shop

FIRST, SECOND = "20231114-000000", "20231115-000000"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases; the second is current."""
    folder = tmp_path_factory.mktemp("store")
    make_release(folder, n_items=120, name=FIRST)
    publish(make_draft(make_shop(120, seed=2), seed=2, name=SECOND), folder)
    return folder


@pytest.fixture
def releases(store: Path, tmp_path: Path) -> SingleRelease:
    return SingleRelease(open_store(str(store), tmp_path / "cache"))


def test_the_current_release_goes_live(releases: SingleRelease) -> None:
    assert releases.start().name == releases.live.name == SECOND


def test_a_named_release_goes_live_instead(releases: SingleRelease) -> None:
    assert releases.start(FIRST).embedding_version == "test-1"


def test_before_anything_is_live_nothing_is_ready(releases: SingleRelease) -> None:
    with pytest.raises(NotReady):
        _ = releases.live


async def test_without_a_former_release_there_is_no_way_back(releases: SingleRelease) -> None:
    before = releases.start()
    with pytest.raises(ReleaseRefused) as refused:
        await releases.rollback("tests")
    assert refused.value.reason == "missing"
    assert releases.live is before


async def test_the_live_release_is_not_loaded_again(releases: SingleRelease) -> None:
    before = releases.start()
    await releases.load(SECOND, "tests")
    await releases.activate(SECOND, "tests")
    assert releases.live is before


@pytest.mark.parametrize(
    "name", ["../etc", "/etc", "%2e%2e", "a\0b", "x" * 5000, "http://example.org/r"]
)
def test_a_name_that_leads_elsewhere_is_refused(releases: SingleRelease, name: str) -> None:
    with pytest.raises(ReleaseRefused) as refused:
        releases.start(name)
    assert refused.value.reason == "name"


def test_a_store_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    releases = SingleRelease(open_store(str(tmp_path / "nowhere"), tmp_path))
    with pytest.raises(SetupInvalid, match=r"is not a folder: build a release with"):
        releases.start()


def test_a_current_that_names_a_missing_release_is_a_refusal(tmp_path: Path) -> None:
    set_current(tmp_path, "20990101-000000")
    with pytest.raises(ReleaseRefused) as refused:
        SingleRelease(open_store(str(tmp_path), tmp_path)).start()
    assert refused.value.reason == "missing"
