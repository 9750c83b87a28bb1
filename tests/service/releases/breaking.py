"""Ways to break a release like a faulty builder: with a manifest that agrees with the damage."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from google.protobuf.message import DecodeError

from models.building.draft import with_property
from service.domain.arrays import Vectors
from service.errors import ReleaseRefused
from service.releases.files import file_facts
from service.releases.loader import load_release
from service.releases.stamps import TOWERS, stamp

Json = dict[str, Any]


def change_manifest(folder: Path, change: Callable[[Json], object]) -> None:
    """Edit the manifest in place."""
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def sign(folder: Path) -> None:
    """Make manifest and stamps those of the files as they are now, like a builder at fault."""
    names = json.loads((folder / "manifest.json").read_text())["files"]
    files = stamp(file_facts(folder, names))
    for tower in TOWERS:
        if (folder / tower).exists():
            stamp_tower(folder / tower, files)
    sign_manifest(folder)


def stamp_tower(path: Path, files: str) -> None:
    """Stamp a tower with these hashes, unless it is no ONNX file any more."""
    try:
        path.write_bytes(with_property(path.read_bytes(), "files", files))
    except DecodeError:
        return


def sign_manifest(folder: Path) -> None:
    """Make sizes and hashes in the manifest those of the files, like a bad copy signed again."""

    def facts(document: Json) -> None:
        for name, found in file_facts(folder, document["files"]).items():
            document["files"][name] = {"sha256": found.sha256, "bytes": found.bytes}

    change_manifest(folder, facts)


def change_vectors(folder: Path, change: Callable[[Vectors], Vectors]) -> None:
    """Replace the item vectors by others, and sign that."""
    path = folder / "item_vectors.npy"
    np.save(path, change(np.load(path).copy()))
    sign(folder)


def change_catalogue(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Replace the catalogue by another one, and sign that."""
    path = folder / "catalogue.parquet"
    pa_parquet.write_table(change(pa_parquet.read_table(path)), path)
    sign(folder)


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Replace a file, and sign that."""
    (folder / name).write_bytes(content)
    sign(folder)


def set_item(table: pa.Table, name: str, column: object) -> pa.Table:
    """The table with one column replaced."""
    return table.set_column(table.schema.get_field_index(name), name, column)


def refusal(folder: Path) -> tuple[str, str]:
    """Reason and sentence with which a release is refused."""
    with pytest.raises(ReleaseRefused) as refused:
        load_release(folder)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return refused.value.reason, sentence
