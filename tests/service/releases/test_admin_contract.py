"""The fake of the API tests, one process alone, and a whole service keep the same contract."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from models.building.store import publish
from service.domain.releases import ReleaseState, ReleaseStatus
from service.errors import Busy, ReleaseRefused
from service.ports.admin import ReleaseAdmin
from service.processes.control import ControlClient, find_control
from service.releases.manager import SingleRelease
from service.releases.store import open_store
from tests.fakes import FakeAdmin
from tests.journeys.running import running
from tests.releases import make_draft, make_release, make_shop
from tests.service.releases.admin_contract import (
    BROKEN,
    BY,
    FIRST,
    SECOND,
    WORSE,
    AdminContract,
    HistoryContract,
    live,
    statuses,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    for name in (SECOND, BROKEN, FIRST):
        make_release(folder, name=name)
    publish(make_draft(make_shop(200), name=WORSE), folder)  # too few items to become current
    index = folder / BROKEN / "items.hnsw"
    data = bytearray(index.read_bytes())
    data[len(data) // 2] ^= 0xFF
    index.write_bytes(data)
    return folder


@pytest.fixture
def fake() -> FakeAdmin:
    return FakeAdmin({FIRST: "", SECOND: "", WORSE: "worse", BROKEN: "checksum"}, FIRST)


@pytest.fixture
def alone(store: Path, tmp_path: Path) -> SingleRelease:
    releases = SingleRelease(open_store(str(store), tmp_path / "cache"))
    releases.start(FIRST)
    return releases


@pytest.fixture(scope="module")
def control(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The control socket of a service whose CURRENT is FIRST."""
    folder = tmp_path_factory.mktemp("s")
    with running(store, folder, SIGHTLINE_PROCESSES__WORKERS="1"):
        yield find_control(folder / "var")


@pytest.mark.parametrize("kind", ["fake", "alone"])
async def test_without_a_former_release_there_is_nothing_to_go_back_to(
    kind: str, request: pytest.FixtureRequest
) -> None:
    admin: ReleaseAdmin = request.getfixturevalue(kind)
    with pytest.raises(ReleaseRefused) as refusal:
        await admin.rollback(BY)
    assert refusal.value.reason == "missing"


class TestFake(AdminContract, HistoryContract):
    @pytest.fixture
    def admin(self, fake: FakeAdmin) -> ReleaseAdmin:
        return fake


class TestAlone(AdminContract):
    @pytest.fixture
    def admin(self, alone: SingleRelease) -> ReleaseAdmin:
        return alone


@pytest.mark.redis
class TestService(AdminContract, HistoryContract):
    @pytest.fixture
    async def admin(self, control: Path) -> AsyncIterator[ReleaseAdmin]:
        """Over the control socket, as the command and the workers do."""
        client = ControlClient(control)
        await client.activate(FIRST, "fixture", "a test begins")
        yield client

    async def test_one_thing_is_done_at_a_time(self, admin: ReleaseAdmin) -> None:
        is_staged = (await statuses(admin)).get(SECOND, None)
        name = WORSE if is_staged and is_staged.state is ReleaseState.STAGED else SECOND
        loading = asyncio.create_task(admin.load(name, BY))
        while (await statuses(admin)).get(name) != ReleaseStatus(name, ReleaseState.LOADING):
            assert not loading.done()
        with pytest.raises(Busy, match=name):
            await admin.rollback(BY)
        assert (await loading).state is ReleaseState.STAGED
        assert await live(admin) == FIRST
