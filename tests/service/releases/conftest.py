"""A fresh copy of a real release for every test that wants to break one."""

import shutil
from pathlib import Path

import pytest

from tests.releases import make_release


@pytest.fixture(scope="package")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release that nobody may change."""
    return make_release(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def release(clean: Path, tmp_path: Path) -> Path:
    """A copy of it, in a store of its own."""
    folder = tmp_path / clean.name
    shutil.copytree(clean, folder)
    (tmp_path / "CURRENT").write_text(f"{clean.name}\n")
    return folder
