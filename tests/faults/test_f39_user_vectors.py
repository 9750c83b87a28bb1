"""F39: a tower that answers NaN, infinity, nothing or anything costs the personal part, no more."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.building.mean_tower import onnx_bytes
from service.api.encode import encode_answer
from service.domain.actions import ACTIONS
from service.domain.requests import Request
from service.domain.traces import Trace
from service.monitoring.metrics import Metrics
from service.ports.serving import Release
from service.releases.loader import load_release
from service.towers.inputs import TowerFit
from service.towers.onnx import OnnxUserTower
from tests.factories import make_session
from tests.scrapes import sample
from tests.service.test_pipeline import Sessions, make_pipeline

REPLIES = 10_000
GAINS = [1.0, 1.0, np.nan, -np.inf, 0.0, 0.5, 3e38]
"""By type of the newest action, padding first: what an answer of unit length is multiplied by."""

OUTCOMES = {"nan", "inf", "zero", "norm"}


def faulty_tower(dim: int) -> bytes:
    """Answers with the newest item's vector, times what `GAINS` says of its action."""
    constants = [
        numpy_helper.from_array(np.array(GAINS, dtype=np.float32), "gains"),
        numpy_helper.from_array(np.array(-1, dtype=np.int64), "newest"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "last"),
    ]
    nodes = [
        helper.make_node("Gather", ["item_vectors", "newest"], ["vector"], axis=1),
        helper.make_node("Gather", ["action_types", "newest"], ["type"], axis=1),
        helper.make_node("Gather", ["gains", "type"], ["gain"]),
        helper.make_node("Unsqueeze", ["gain", "last"], ["column"]),
        helper.make_node("Mul", ["vector", "column"], ["user_vector"]),
    ]
    slot = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "faulty",
        [
            slot("item_vectors", TensorProto.FLOAT, ["B", 20, dim]),
            slot("action_types", TensorProto.INT64, ["B", 20]),
        ],
        [slot("user_vector", TensorProto.FLOAT, ["B", dim])],
        constants,
    )
    return onnx_bytes(graph, {"embedding_version": "test-1"})


@pytest.fixture(scope="module")
def faulty(faulty_release: Path) -> Release:
    release = load_release(faulty_release)
    fit = TowerFit(dim=release.dim, history_length=20)
    return replace(release, tower=OnnxUserTower(faulty_tower(release.dim), fit))


async def test_f39_no_fuzzed_reply_holds_a_number_that_is_none(faulty: Release) -> None:
    chance, metrics, sessions = random.Random(39), Metrics(), Sessions()
    pipeline = make_pipeline(faulty, sessions)
    outcomes: dict[str, int] = {}
    for i in range(REPLIES):
        n = chance.randint(1, 30)
        items = [f"item-{chance.randrange(320)}" for _ in range(n)]  # 20 of them unknown
        sessions.session = make_session(*((item, chance.choice(ACTIONS)) for item in items))
        trace = Trace(str(i))
        answer = await pipeline.recommend(Request(10, "ann", timeout_ms=60_000), trace)
        reply = encode_answer(answer, trace, explain=False)
        assert b"NaN" not in reply
        assert b"Infinity" not in reply
        shown = orjson.loads(reply)["items"]
        assert len({item["item_id"] for item in shown}) == 10
        assert all(item["score"] is not None for item in shown if item["source"] == "ann")
        embedded = next(stage for stage in trace.stages if stage.name == "embed")
        assert (embedded.error is not None) == ("tower" in trace.degraded)
        if embedded.error is not None:
            outcomes[embedded.error] = outcomes.get(embedded.error, 0) + 1
            assert all(item["source"] != "ann" for item in shown)
        metrics.listed(trace, answer, faulty)
    assert set(outcomes) == OUTCOMES
    scraped = metrics.render()
    for outcome, n in outcomes.items():
        assert sample(scraped, "retrieval_user_embedding_invalid_total", reason=outcome) == n
    assert sum(outcomes.values()) > REPLIES / 2
