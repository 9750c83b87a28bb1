"""Manifests that lie, lead elsewhere, or are none; folders that a copy has not finished."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.service.releases.breaking import change_manifest
from tests.service.releases.mutations import Mutation


def _manifest(reason: str, change: Callable[[dict], object]) -> Mutation:  # type: ignore[type-arg]
    return Mutation(lambda release, _: change_manifest(release, change), reason, "manifest.json")


def _manifest_bytes(content: bytes) -> Mutation:
    def change(release: Path, other: Path) -> None:
        (release / "manifest.json").write_bytes(content)

    return Mutation(change, "manifest", "manifest.json")


def _named(name: str) -> Mutation:
    return _manifest("manifest", lambda m: m["files"].update({name: m["files"]["ladder.json"]}))


def _without(*names: str) -> Callable[[Path, Path], None]:
    def change(release: Path, other: Path) -> None:
        for name in names:
            (release / name).unlink()

    return change


def _besides(name: str, content: bytes) -> Mutation:
    return Mutation(lambda release, _: (release / name).write_bytes(content), "name", name)


VECTORS, INDEX = "item_vectors.npy", "items.hnsw"
DEEP = "[" * 500 + "]" * 500

MANIFESTS = {
    "no manifest yet": Mutation(_without("manifest.json"), "missing", "manifest.json"),
    "manifest first, probes to come": Mutation(_without("probes.npz"), "missing", "probes.npz"),
    "missing probes": _manifest("missing", lambda m: m["files"].pop("probes.npz")),
    "manifest of fewer files": Mutation(
        lambda release, _: change_manifest(release, lambda m: m["files"].pop("item_tower.onnx")),
        "name",
        "item_tower.onnx",
    ),
    "a part of another upload": _besides("items.hnsw.part", b"half"),
    "a path upwards": _named("../../etc/passwd"),
    "a path upwards within": _named("../ladder.json"),
    "an absolute path": _named("/etc/passwd"),
    "a percent path": _named("%2e%2e/passwd"),
    "a path with NUL": _named("ladder.json\0"),
    "a URL": _named("http://127.0.0.1/x"),
    "a long name": _named("x" * 5000),
    "an empty manifest": _manifest_bytes(b""),
    "half a manifest": _manifest_bytes(b'{"release": "2023'),
    "a manifest that is no text": _manifest_bytes(b"\xff\xfe\x00\xd8"),
    "a huge manifest": _manifest_bytes(b'"' + b"x" * 17_000_000 + b'"'),
    "a deep manifest": _manifest_bytes(b'{"a":' * 200_000),
    "a manifest with a long number": _manifest_bytes(b'{"dim": ' + b"9" * 100_000 + b"}"),
    "deep metrics": _manifest("manifest", lambda m: m.update(metrics=json.loads(DEEP))),
    "wrong types": _manifest("manifest", lambda m: m.update(dim="64", n_items=None, files=[])),
    "another schema": _manifest("manifest", lambda m: m.update(schema_version=1)),
    "another metric": _manifest("manifest", lambda m: m.update(metric="l2")),
    "another embedding version": Mutation(
        lambda r, _: change_manifest(r, lambda m: m.update(embedding_version="x")),
        *("version", "user_tower.onnx"),
    ),
    "another dim": Mutation(
        lambda r, _: change_manifest(r, lambda m: m.update(dim=8)), "vectors", VECTORS
    ),
    "another count": Mutation(
        lambda r, _: change_manifest(r, lambda m: m.update(n_items=299)), "vectors", VECTORS
    ),
    "other norms": Mutation(
        lambda r, _: change_manifest(r, lambda m: m["norms"].update(max=3.0)),
        *("gate_norms", VECTORS),
    ),
    "a recall that is not reached": Mutation(
        lambda r, _: change_manifest(r, lambda m: m["index"].update(ef_search=1, recall_floor=1.0)),
        *("recall", INDEX),
    ),
    "another name": _manifest("name", lambda m: m.update(release="20990101-000000")),
}
