"""F36: whatever stands in the place of a release's name, no file outside the store is opened."""

import asyncio
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from service.errors import ReleaseRefused
from service.ports.admin import ReleaseAdmin
from service.releases.manager import SingleRelease
from service.releases.store import open_store
from service.settings.serving import Server
from service.settings.tree import Settings
from tests.names import BAD_NAMES, quoted
from tests.releases import make_release
from tests.service.api.operators import KEY, TOKEN
from tests.service.api.world import World

PATHS = frozenset({"open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove"})
NAME = "20231114-000000"
touched: list[str] | None = None
"""What was opened or connected to while `audited`; audit hooks cannot be taken away again."""


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if touched is None:
        return
    if event in PATHS and isinstance(arguments[0], str | bytes | Path):
        touched.append(str(arguments[0]))
    if event == "socket.connect":
        touched.append(f"connection to {arguments[1]}")


sys.addaudithook(_hook)


@contextmanager
def audited() -> Iterator[list[str]]:
    global touched  # noqa: PLW0603  the hook has to find it
    touched = found = []
    try:
        yield found
    finally:
        touched = None


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose neighbours are releases, and that holds a link to one of them."""
    root = tmp_path_factory.mktemp("f36")
    folder = make_release(root / "store", n_items=120, name=NAME)
    for neighbour in (root / "x", root / "y", root / "etc" / "passwd"):
        shutil.copytree(folder, neighbour)
    (root / "store" / "20231115-000000").symlink_to(root / "x", target_is_directory=True)
    return root / "store"


@pytest.fixture
def admin(store: Path, tmp_path: Path) -> SingleRelease:
    releases = SingleRelease(open_store(str(store), tmp_path / "cache"))
    releases.start(NAME)
    return releases


def outside(found: list[str], store: Path) -> list[str]:
    return [path for path in found if not path.startswith(f"{store}/")]


def test_the_hook_sees_what_is_opened(store: Path) -> None:
    with audited() as found:
        (store / NAME / "manifest.json").read_bytes()
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(OSError):
            client.connect(str(store / "none"))
    assert [found[0]] == outside([str(store / NAME / "manifest.json")], Path("/nowhere"))
    assert found[1].startswith("connection to")


def test_there_are_two_hundred_names() -> None:
    assert len(set(BAD_NAMES)) >= 200


def test_no_name_over_http_opens_anything(store: Path, admin: SingleRelease) -> None:
    settings = Settings(server=Server(admin_token=SecretStr(TOKEN)))
    world = World(settings=settings, admin=cast(Any, admin))

    async def ask_all() -> set[int]:
        statuses = set()
        async with world.client() as client:
            for name in BAD_NAMES:
                for action in ("load", "activate", "rollback"):
                    path = f"/v1/releases/{quoted(name)}:{action}"
                    statuses.add((await client.post(path, headers=KEY)).status_code)
        return statuses

    with audited() as found:
        statuses = asyncio.run(ask_all())
    assert statuses == {404, 414, 422}
    assert not [path for path in found if "asyncio" not in path]


async def test_no_name_that_comes_another_way_leaves_the_store(
    store: Path, admin: ReleaseAdmin
) -> None:
    """The command and the control socket do not go through the checks of HTTP."""
    reasons = set()
    with audited() as found:
        for name in BAD_NAMES:
            for ask in (admin.load, admin.activate):
                with pytest.raises(ReleaseRefused) as refusal:
                    await ask(name, "tests")
                reasons.add(refusal.value.reason)
    assert reasons == {"name"}
    assert not outside(found, store)


async def test_a_link_out_of_the_store_is_not_followed(store: Path, admin: ReleaseAdmin) -> None:
    with audited() as found, pytest.raises(ReleaseRefused):
        await admin.load("20231115-000000", "tests")
    assert not outside(found, store)
    assert not [path for path in found if path.startswith(f"{store}/20231115-000000/")]
    assert (await admin.overview()).live == NAME
