"""The manifest by itself: every wrong value is one sentence that names its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.errors import ReleaseRefused
from service.releases.manifest import is_release_name, read_manifest


@pytest.fixture
def document(clean: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((clean / "manifest.json").read_text())
    return found


def refusal(folder: Path, content: str) -> str:
    path = folder / "manifest.json"
    path.write_text(content)
    with pytest.raises(ReleaseRefused) as refused:
        read_manifest(path)
    assert refused.value.reason in ("manifest", "name")
    return str(refused.value)


def test_a_manifest_reads_back_as_it_was_written(clean: Path, tmp_path: Path) -> None:
    facts = read_manifest(clean / "manifest.json")
    (tmp_path / "manifest.json").write_text(facts.as_json())
    assert read_manifest(tmp_path / "manifest.json") == facts


@pytest.mark.parametrize("content", ["", "{", "\x00", "[]", '"text"', "null"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: str) -> None:
    assert refusal(tmp_path, content).startswith("manifest.json")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReleaseRefused, match="not readable JSON"):
        read_manifest(tmp_path / "manifest.json")


def test_every_name_is_needed(document: dict[str, Any], tmp_path: Path) -> None:
    for name in document.keys() - {"filterable"}:  # older manifests have none
        rest = {key: value for key, value in document.items() if key != name}
        assert f"{name} is missing" in refusal(tmp_path, json.dumps(rest))


def test_what_is_filterable_may_be_left_out(document: dict[str, Any], tmp_path: Path) -> None:
    del document["filterable"]
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    filterable = read_manifest(tmp_path / "manifest.json").filterable
    assert filterable == {"category": "category", "seller": "category", "price": "number"}


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("filterable", {"colour": "hue"}, "colour must be category or tags or number or flag"),
        ("dim", "64", "dim must be a whole number, between 1 and 4096, not '64'"),
        ("dim", 0, "dim must be a whole number"),
        ("dim", True, "dim must be a whole number"),
        ("dim", 16.0, "dim must be a whole number"),
        ("n_items", -1, "n_items must be a whole number, at least 1"),
        ("history_length", 10**6, "between 1 and 1000"),
        ("created_at", "yesterday", "created_at must be an instant"),
        ("created_at", "2023-11-14T00:00:00", "created_at must be an instant"),
        ("embedding_version", "", "embedding_version must be a text"),
        ("parent", 7, "parent must be a text"),
        ("metric", "cosine", "metric must be ip, not 'cosine'"),
        ("actions", [], "actions must be a list that is not empty"),
        ("actions", ["view", "view"], "actions must be a list of distinct texts"),
        ("actions", "view", "actions must be a list"),
        ("data", [], "data must be an object"),
        ("norms", {"min": 1, "mean": 1}, "manifest.json: norms: max is missing"),
        ("again", {"weight": -1, "has_repeats": True}, "weight must be a finite number"),
        ("again", {"weight": 1, "has_repeats": "yes"}, "has_repeats must be true or false"),
        ("files", {"ladder.json": {"sha256": "x", "bytes": 1}}, "sha256 must be 64"),
        ("files", {"/etc/passwd": {}}, "is not a file of a release"),
        ("release", "../../etc", "release must be lower case"),
        ("schema_version", 2, "schema_version must be 1, not 2"),
    ],
)
def test_a_wrong_value_is_named(
    document: dict[str, Any], tmp_path: Path, place: str, value: object, said: str
) -> None:
    assert said in refusal(tmp_path, json.dumps(document | {place: value}))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(
    document: dict[str, Any], tmp_path: Path, number: str
) -> None:
    text = json.dumps(document | {"again": {"weight": "?", "has_repeats": True}})
    assert "finite number" in refusal(tmp_path, text.replace('"?"', number))


def test_unknown_names_are_left_alone(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(document | {"colour": "blue"}))
    assert read_manifest(tmp_path / "manifest.json").release == document["release"]


@pytest.mark.parametrize(
    ("name", "good"),
    [("20231114-000000", True), ("a", True), ("a.b-c", True), ("a" * 64, True)]
    + [(bad, False) for bad in ("", "A", ".a", "-a", "a/b", "a b", "a..b", "a" * 65, "a\n", "ä")],
)
def test_release_names(name: str, good: bool) -> None:
    assert is_release_name(name) is good
