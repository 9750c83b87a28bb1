"""The graph: what hnswlib forgets or gets wrong, and its file."""

import struct
from pathlib import Path

import hnswlib
import numpy as np
import pytest

from service.errors import IndexUnavailable
from service.indexes.exact import ExactIndex
from service.indexes.hnsw import HnswIndex
from service.indexes.hnsw_file import HEADER, read_index_file
from service.indexes.hnsw_links import IndexFileInvalid
from tests.service.indexes.test_contract import unit_vectors

DIM = 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    HnswIndex.build(unit_vectors(), m=8, ef_construction=100, ef=50).save(tmp_path / "items.hnsw")
    return tmp_path / "items.hnsw"


def test_a_saved_graph_answers_as_before(path: Path) -> None:
    vectors = unit_vectors()
    built = HnswIndex.build(vectors, m=8, ef_construction=100, ef=50)
    loaded = HnswIndex.load(path, DIM, ef=50)
    assert len(loaded) == len(vectors)
    for vector in vectors[:20]:
        assert loaded.search(vector, 30)[0].tolist() == built.search(vector, 30)[0].tolist()


@pytest.mark.parametrize("room", [400, 900])
def test_a_file_is_loaded_as_hnswlib_loads_it(tmp_path: Path, room: int) -> None:
    """Labels in another order than the items were added in, several levels, room for more."""
    vectors, path = unit_vectors(), tmp_path / "items.hnsw"
    labels = np.random.default_rng(5).permutation(len(vectors))
    built = hnswlib.Index(space="ip", dim=DIM)
    built.init_index(max_elements=room, M=4, ef_construction=100, random_seed=2)
    built.add_items(vectors[labels], labels, num_threads=1)
    built.save_index(str(path))
    theirs = hnswlib.Index(space="ip", dim=DIM)
    theirs.load_index(str(path))
    ours, wanted = HnswIndex.load(path, DIM, ef=50), HnswIndex(theirs, ef=50)
    assert read_index_file(path).header.max_level > 2
    assert np.array_equal(ours.vectors_of(np.arange(400)), vectors)
    for vector in vectors:
        assert np.array_equal(ours.search(vector, 30), wanted.search(vector, 30))


@pytest.mark.parametrize("dim", [DIM - 1, DIM + 1])
def test_a_file_of_another_dimension_is_refused(path: Path, dim: int) -> None:
    with pytest.raises(IndexUnavailable, match=f"items.hnsw has {DIM} dimensions"):
        HnswIndex.load(path, dim, ef=50)


def test_a_file_that_was_cut_off_is_not_loaded(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(IndexUnavailable, match=r"items\.hnsw: "):
        HnswIndex.load(path, DIM, ef=50)


def test_ef_is_set_after_loading(path: Path) -> None:
    vectors = unit_vectors()
    exact = ExactIndex(vectors)

    def recall(ef: int) -> float:
        index = HnswIndex.load(path, DIM, ef)
        found = [set(index.search(v, 10)[0]) & set(exact.search(v, 10)[0]) for v in vectors[:100]]
        return float(np.mean([len(both) / 10 for both in found]))

    assert recall(200) > recall(10)
    assert recall(200) > 0.99


def test_a_large_request_does_not_change_what_a_small_one_finds(path: Path) -> None:
    vectors = unit_vectors()
    index = HnswIndex.load(path, DIM, ef=10)
    before = [index.search(vector, 10)[0].tolist() for vector in vectors[:50]]
    index.search(vectors[0], 400)
    assert [index.search(vector, 10)[0].tolist() for vector in vectors[:50]] == before


def test_items_that_cannot_be_reached_are_reported_as_short() -> None:
    vectors = unit_vectors(50)
    index = HnswIndex.build(vectors, m=8, ef_construction=100, ef=20)
    for label in range(30):
        index._graph.mark_deleted(label)
    assert len(index.search(vectors[40], 20)[0]) == 20
    with pytest.raises(IndexUnavailable) as unavailable:
        index.search(vectors[40], 21)
    assert unavailable.value.outcome == "short"


def test_a_clean_file_tells_what_it_holds(path: Path) -> None:
    found = read_index_file(path)
    assert (found.header.count, found.header.dim, found.header.m) == (400, DIM, 8)
    assert np.array_equal(found.vectors, unit_vectors()[found.labels])


def patched(path: Path, changes: dict[int, bytes]) -> Path:
    content = bytearray(path.read_bytes())
    for at, new in changes.items():
        content[at : at + len(new)] = new
    path.write_bytes(content)
    return path


COUNT_AT, ENTRY_AT, LEVEL_AT = 16, 52, 48
FIRST_LINKS_AT = HEADER.size


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({8: struct.pack("<Q", 10)}, "claims 400 elements in room for 10,"),
        ({8: struct.pack("<Q", 10**9)}, "claims 400 elements in room for 1000000000,"),
        ({COUNT_AT: struct.pack("<Q", 401)}, "claims 401"),
        ({ENTRY_AT: struct.pack("<I", 400)}, "entry point"),
        ({LEVEL_AT: struct.pack("<i", 30)}, "level"),
        ({24: struct.pack("<Q", 99)}, "header"),
        ({FIRST_LINKS_AT: b"\xff\xff"}, "damaged list of links"),
        ({FIRST_LINKS_AT + 2: b"\x01"}, "deleted elements"),
        ({FIRST_LINKS_AT + 4: b"\xff\xff\xff\x7f"}, "links to elements that do not exist"),
    ],
)
def test_a_file_that_would_crash_hnswlib_is_found_out(
    path: Path, changes: dict[int, bytes], said: str
) -> None:
    with pytest.raises(IndexFileInvalid, match=said):
        read_index_file(patched(path, changes))


def test_an_upper_link_to_an_element_below_that_level_is_found_out(path: Path) -> None:
    """hnswlib would follow it to a list that was never made."""
    header = read_index_file(path).header
    words = np.frombuffer(path.read_bytes(), dtype="<u4")
    lengths_at = (HEADER.size + header.count * header.record_bytes) // 4
    first = int(np.flatnonzero(words[lengths_at:])[0])  # the first element with upper lists
    assert first > 0  # so that element 0 has none
    link_at = 4 * (lengths_at + first + 2)
    with pytest.raises(IndexFileInvalid, match="upper links to elements that do not exist"):
        read_index_file(patched(path, {link_at: struct.pack("<I", 0)}))


@pytest.mark.parametrize("length", [0, 50, HEADER.size, 5_000, -1])
def test_a_truncated_file_is_found_out(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(IndexFileInvalid):
        read_index_file(path)


def test_appended_bytes_are_found_out(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0\0\0\0")
    with pytest.raises(IndexFileInvalid):
        read_index_file(path)


def test_labels_that_repeat_are_found_out(path: Path) -> None:
    header = read_index_file(path).header
    second = HEADER.size + header.record_bytes + header.label_offset
    first = HEADER.size + header.label_offset
    label = path.read_bytes()[first : first + 8]
    with pytest.raises(IndexFileInvalid, match="exactly once"):
        read_index_file(patched(path, {second: label}))


def test_no_flipped_byte_outside_the_vectors_leads_to_a_crash(path: Path) -> None:
    """Every change is either found out or harmless: links to other, existing elements."""
    clean = path.read_bytes()
    random = np.random.default_rng(3)
    vectors = unit_vectors()
    for at in random.integers(0, len(clean), 150):
        patched(path, {int(at): bytes([clean[at] ^ (1 << int(random.integers(8)))])})
        try:
            read_index_file(path)
        except IndexFileInvalid:
            pass
        else:
            HnswIndex.load(path, DIM, ef=50).search(vectors[0], 50)
        path.write_bytes(clean)
