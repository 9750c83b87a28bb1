"""Releases that must not go live: what was done to each, and what has to be said of it.

Here files as a bad copy leaves them, and files exchanged by somebody who wrote the manifest anew;
what a builder at fault may publish is in `mutated_parts`, `mutated_towers`, `mutated_manifests`.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.service.releases.breaking import sign_manifest

FILES = (
    *("user_tower.onnx", "item_tower.onnx", "items.hnsw", "item_vectors.npy", "catalogue.parquet"),
    *("ladder.json", "probes.npz", "baseline.json"),
)


@dataclass(frozen=True)
class Mutation:
    """What is done to a release (given another one), the reason of its refusal, and the file."""

    change: Callable[[Path, Path], object]
    reason: str
    file: str


def _cut(name: str, length: int) -> Mutation:
    def change(release: Path, other: Path) -> None:
        content = (release / name).read_bytes()
        (release / name).write_bytes(content[:length])

    return Mutation(change, "checksum", name)


def _appended(name: str) -> Mutation:
    def change(release: Path, other: Path) -> None:
        with (release / name).open("ab") as file:
            file.write(b"\0")

    return Mutation(change, "checksum", name)


def _flipped(name: str, times: int = 1) -> Mutation:
    def change(release: Path, other: Path) -> None:
        content = bytearray((release / name).read_bytes())
        for at in np.linspace(0, len(content) - 1, times + 2).astype(int)[1:-1]:
            content[at] ^= 0xFF
        (release / name).write_bytes(content)

    return Mutation(change, "checksum", name)


def _linked(name: str, link: Callable[[Path, Path], object]) -> Mutation:
    def change(release: Path, other: Path) -> None:
        outside = release.parent / f"outside-{name}"
        (release / name).rename(outside)
        link(outside, release / name)

    return Mutation(change, "name", name)


COPIED = {
    f"{name}, {what}": mutation
    for name in FILES
    for what, mutation in {
        "empty": _cut(name, 0),
        "header only": _cut(name, 16),
        "a byte less": _cut(name, -1),
        "a byte more": _appended(name),
        "a byte flipped": _flipped(name),
        "50 bytes flipped": _flipped(name, 50),
        "symbolic link": _linked(name, lambda there, here: here.symlink_to(there)),
        "hard link": _linked(name, os.link),
    }.items()
}


def _exchanged(name: str) -> Mutation:
    def change(release: Path, other: Path) -> None:
        shutil.copyfile(other / name, release / name)
        sign_manifest(release)

    return Mutation(change, "version", name)


def _flipped_and_signed(name: str) -> Mutation:
    def change(release: Path, other: Path) -> None:
        _flipped(name).change(release, other)
        sign_manifest(release)

    return Mutation(change, "version", name)


EXCHANGED = {
    **{f"{name} of another release": _exchanged(name) for name in FILES},
    **{f"{name}, signed with a byte flipped": _flipped_and_signed(name) for name in FILES[2:]},
}
