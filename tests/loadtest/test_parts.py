"""The parts that load tests are made of: percentiles, HTTP by hand, the formats as documented."""

import random
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from loadtest.client import encode, split
from loadtest.durations import line, summarise
from loadtest.items import Items, live_release, read_items
from loadtest.processes import LoadTestFailed, free_port, running, wait_ready
from loadtest.reference.bundle import open_bundle, session_key, unpack
from service.domain.sessions import Session
from service.stores.codec import pack_session
from service.stores.keys import UserKeys
from tests.releases import make_release


def test_percentiles_are_those_of_all_calls() -> None:
    summary = summarise("all", [float(n) for n in range(1, 101)], errors=2, seconds=10.0)
    assert (summary.n, summary.errors, summary.per_s) == (100, 2, 10.0)
    assert (summary.p50_ms, summary.max_ms) == (50.5, 100.0)
    assert 95 < summary.p95_ms < 96 and 99 < summary.p99_ms < 100


def test_no_calls_are_a_row_of_zeros() -> None:
    assert line(summarise("none", [], 0, 1.0)).split() == ["none", "0", "0", "0.0", *["0.00"] * 4]


def test_a_request_goes_over_the_wire_with_its_length() -> None:
    head, _, body = encode("/v1/recommend", {"user_id": "é"}).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/recommend HTTP/1.1\r\n")
    assert f"content-length: {len(body)}".encode() in head


def test_an_answer_is_complete_only_with_its_whole_body() -> None:
    answer = b"HTTP/1.1 503 Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
    whole = split(answer)
    assert whole is not None and (whole.status, whole.body) == (503, b"busy")
    assert all(split(answer[:length]) is None for length in range(len(answer)))


def test_popular_items_are_drawn_more_often() -> None:
    items = Items(("rare", "popular"), (1.0, 10.0))
    rng = random.Random(1)
    drawn = [items.draw(rng) for _ in range(500)]
    assert drawn.count("popular") > 5 * drawn.count("rare") > 0


def test_items_are_read_from_the_live_release(tmp_path: Path) -> None:
    make_release(tmp_path, n_items=120, dim=8)
    assert len(read_items(tmp_path).ids) == 120


def test_a_store_without_a_live_release_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LoadTestFailed, match="holds no live release"):
        live_release(tmp_path)


def test_the_references_read_sessions_as_the_service_writes_them() -> None:
    keys = UserKeys.of("u:Zoë")
    written = Session(
        item_ids=("a", "ß", "c"),
        action_types=np.array([0, 2, 5]),
        at_s=np.array([1_700_000_000.0, 1_700_000_001.5, 1_700_000_002.25]),
        n_interactions=7,
    )
    assert session_key("Zoë") == keys.session
    assert unpack(pack_session(written, keys.check)) == [
        ("a", 0, 1_700_000_000.0),
        ("ß", 2, 1_700_000_001.5),
        ("c", 5, 1_700_000_002.25),
    ]
    assert unpack(None) == []


def test_the_references_find_what_the_release_proves(tmp_path: Path) -> None:
    """The golden probes of a release hold for the independent reader too."""
    folder = make_release(tmp_path, n_items=200, dim=16)
    bundle = open_bundle(is_tuned=True, store=tmp_path)
    vector = bundle.embed([(item_id, 0, 0.0) for item_id in bundle.item_ids[:5]])
    labels, _ = bundle.index.knn_query(vector, k=50)
    found = {bundle.item_ids[row] for row in labels[0]}
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    assert len(found & bundle.exact(vector, 50)) >= 45
    assert folder == live_release(tmp_path)


def test_a_process_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "print('no such store'); raise SystemExit(2)"]
    with (
        running(command, log) as process,
        pytest.raises(LoadTestFailed, match=r"status 2:\nno such store"),
    ):
        wait_ready(process, f"http://127.0.0.1:{free_port()}/readyz", log)


def test_what_was_started_is_stopped(tmp_path: Path) -> None:
    with running(
        [sys.executable, "-c", "import signal; signal.pause()"], tmp_path / "log"
    ) as process:
        assert process.poll() is None
    assert process.poll() is not None


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        assert listener.getsockname()[1] > 0
