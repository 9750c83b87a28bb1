"""Declared columns: what each kind can be asked, and what a release may declare."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from models.building.draft import ItemColumns
from models.building.store import publish
from models.errors import PublishInvalid
from service.catalogue.attributes import read_attribute
from service.catalogue.columns import read_columns
from service.domain.attributes import BUILT_IN, Kind
from service.domain.requests import Condition, Filters
from service.errors import ReleaseRefused
from service.releases.loader import load_release
from tests.releases import make_draft, make_shop

COLUMNS = {
    Kind.CATEGORY: pa.array(["red", "", None, "blue", "red"]),
    Kind.TAGS: pa.array([["a", "b"], [], None, ["b", "b"], ["", "c"]], pa.list_(pa.string())),
    Kind.NUMBER: pa.array([1.5, None, float("nan"), -2.0, 4.0]),
    Kind.FLAG: pa.array([True, False, None, True, False]),
}


@pytest.mark.parametrize(
    ("kind", "condition", "passing"),
    [
        (Kind.CATEGORY, Condition(any_of=("red",)), [0, 4]),
        (Kind.CATEGORY, Condition(any_of=("red", "blue")), [0, 3, 4]),
        (Kind.CATEGORY, Condition(any_of=("",)), []),
        (Kind.CATEGORY, Condition(any_of=("green",)), []),
        (Kind.CATEGORY, Condition(none_of=("red",)), [1, 2, 3]),
        (Kind.CATEGORY, Condition(none_of=("green",)), [0, 1, 2, 3, 4]),
        (Kind.CATEGORY, Condition(any_of=("red", "blue"), none_of=("red",)), [3]),
        (Kind.TAGS, Condition(any_of=("a", "c")), [0, 4]),
        (Kind.TAGS, Condition(any_of=("b",), none_of=("a",)), [3]),
        (Kind.TAGS, Condition(none_of=("b",)), [1, 2, 4]),
        (Kind.NUMBER, Condition(at_least=-2.0), [0, 3, 4]),
        (Kind.NUMBER, Condition(at_least=0.0, at_most=1.5), [0]),
        (Kind.NUMBER, Condition(at_least=3.0, at_most=1.0), []),
        (Kind.FLAG, Condition(is_set=True), [0, 3]),
        (Kind.FLAG, Condition(is_set=False), [1, 2, 4]),
    ],
)
def test_each_kind_answers_its_conditions(
    kind: Kind, condition: Condition, passing: list[int]
) -> None:
    attribute = read_attribute(pa.chunked_array([COLUMNS[kind]]))
    assert attribute.kind is kind
    assert np.flatnonzero(attribute.passing(condition)).tolist() == passing


@pytest.mark.parametrize("kind", [Kind.CATEGORY, Kind.TAGS])
def test_words_that_no_item_has_are_told(kind: Kind) -> None:
    attribute = read_attribute(pa.chunked_array([COLUMNS[kind]]))
    condition = Condition(any_of=("red", "b", "x"), none_of=("y",))
    known = {Kind.CATEGORY: "red", Kind.TAGS: "b"}[kind]
    assert set(attribute.unknown(condition)) == {"red", "b", "x", "y"} - {known}


@pytest.mark.parametrize("numbers", [pa.int16(), pa.int64(), pa.float32(), pa.float64()])
def test_numbers_of_any_width_will_do(numbers: pa.DataType) -> None:
    attribute = read_attribute(pa.chunked_array([pa.array([1, None, 3], numbers)]))
    assert attribute.passing(Condition(at_least=2)).tolist() == [False, False, True]


def test_a_catalogue_of_no_words_at_all_is_readable() -> None:
    for column in (pa.array(["", ""]), pa.array([[], []], pa.list_(pa.string()))):
        attribute = read_attribute(pa.chunked_array([column]))
        assert not attribute.passing(Condition(any_of=("x",))).any()


def items_with(**attributes: pa.Array) -> ItemColumns:
    return dataclasses.replace(make_shop(n_items=120).items, attributes=attributes)


def test_a_release_declares_what_its_items_have(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    year = rng.integers(1980, 2020, 120)
    shop = dataclasses.replace(
        make_shop(n_items=120),
        items=items_with(
            year=pa.array(year),
            country=pa.array([["DE", "FR"][: i % 3] for i in range(120)], pa.list_(pa.string())),
            organic=pa.array(rng.random(120) < 0.5),
        ),
    )
    release = load_release(publish(make_draft(shop), tmp_path))
    kinds = {name: attribute.kind for name, attribute in release.catalogue.attributes.items()}
    assert kinds == {**BUILT_IN, "year": "number", "country": "tags", "organic": "flag"}
    mask = release.catalogue.matching(Filters.of({"year": Condition(at_least=2000)}))
    ids = {release.catalogue.item_ids[row] for row in np.flatnonzero(mask)}
    assert ids == {f"item-{i}" for i in np.flatnonzero(year >= 2000)}


@pytest.mark.parametrize(
    ("name", "column"),
    [("price", pa.array([1.0] * 120)), ("made_at", pa.array([0] * 120, pa.timestamp("s")))],
)
def test_a_name_that_is_taken_and_a_type_nobody_can_ask_are_refused(
    name: str, column: pa.Array
) -> None:
    with pytest.raises(PublishInvalid, match=name):
        items_with(**{name: column}).filterable  # noqa: B018


@pytest.mark.parametrize("filterable", [{"colour": Kind.CATEGORY}, {"title": Kind.TAGS}])
def test_a_manifest_that_declares_what_is_not_there_is_refused(
    tmp_path: Path, filterable: dict[str, Kind]
) -> None:
    items, path = make_shop(n_items=20).items, tmp_path / "catalogue.parquet"
    pa_parquet.write_table(items.table(), path)
    with pytest.raises(ReleaseRefused, match=next(iter(filterable))):
        read_columns(path, np.eye(20, dtype=np.float32), filterable)
