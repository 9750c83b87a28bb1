"""Towers for data too few to train on: content as it is, and the mean of what somebody did."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.building.mean_tower import mean_tower, onnx_bytes
from models.interactions import Log
from models.networks.item_features import numbers, vocabulary
from service.domain.arrays import Vectors
from service.releases.manifest import ITEM_TOWER
from service.towers.features import Inputs
from service.towers.item_features import TITLE_SIZE
from service.towers.onnx import ITEM_VECTOR, OnnxTower

SEED = 20_240_101
CATEGORY_WEIGHT = 0.7
"""Of the category beside the title, whose parts weigh 0.7 each: related titles come first."""


@dataclass(frozen=True, slots=True)
class UntrainedTowers:
    """Both towers as files, and the vectors of the catalogue, float32 [n_items, dim]."""

    user_tower: bytes
    item_tower: bytes
    vectors: Vectors
    version: str


def untrained_towers(
    log: Log, dim: int, history_length: int, popularity: NDArray[np.float64]
) -> UntrainedTowers:
    """Make towers without training.

    An item is the sum of fixed random vectors of its hashed title parts and its category: two
    items are near when their titles share words (a random projection keeps inner products).
    A user is the mean of the last items; for an empty history, of the popular ones.
    """
    known = vocabulary(log, np.full(log.items.n, np.nan))
    features = numbers(log, known, np.full(log.items.n, np.nan))
    version = _version(dim, known.categories)
    properties = {"embedding_version": version, "vocabulary": json.dumps(known.to_json())}
    item_tower = _item_tower(dim, len(known.categories), properties)
    tower = OnnxTower(item_tower, ITEM_TOWER, ITEM_VECTOR, dim)
    width = max(1, int(np.diff(features.title.starts).max(initial=0)))
    ids, weights = features.title.padded(width)
    inputs: Inputs = {"title_ids": ids, "title_weights": weights, "category": features.category}
    vectors = tower.run(inputs)
    mean = popularity @ vectors
    prior = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return UntrainedTowers(
        mean_tower(dim, history_length, prior, version), item_tower, vectors, version
    )


def _item_tower(dim: int, n_categories: int, properties: dict[str, str]) -> bytes:
    random = np.random.default_rng(SEED)
    titles = random.normal(size=(TITLE_SIZE, dim)) / np.sqrt(dim)
    categories = CATEGORY_WEIGHT * random.normal(size=(n_categories + 1, dim)) / np.sqrt(dim)
    constants = [
        numpy_helper.from_array(titles.astype(np.float32), "titles"),
        numpy_helper.from_array(categories.astype(np.float32), "categories"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "parts"),
        numpy_helper.from_array(np.array(1e-12, dtype=np.float32), "tiny"),
    ]
    nodes = [
        helper.make_node("Gather", ["titles", "title_ids"], ["title_parts"]),
        helper.make_node("Unsqueeze", ["title_weights", "last"], ["column"]),
        helper.make_node("Mul", ["title_parts", "column"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "parts"], ["title"], keepdims=0),
        helper.make_node("Gather", ["categories", "category"], ["category_part"]),
        helper.make_node("Add", ["title", "category_part"], ["mixed"]),
        helper.make_node("ReduceL2", ["mixed"], ["length"], axes=[1], keepdims=1),
        helper.make_node("Max", ["length", "tiny"], ["safe_length"]),
        helper.make_node("Div", ["mixed", "safe_length"], [ITEM_VECTOR]),
    ]
    slot = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "content",
        [
            slot("title_ids", TensorProto.INT64, ["B", "title"]),
            slot("title_weights", TensorProto.FLOAT, ["B", "title"]),
            slot("category", TensorProto.INT64, ["B"]),
        ],
        [slot(ITEM_VECTOR, TensorProto.FLOAT, ["B", dim])],
        constants,
    )
    return onnx_bytes(graph, properties)


def _version(dim: int, categories: tuple[str, ...]) -> str:
    facts = json.dumps([SEED, dim, CATEGORY_WEIGHT, categories])
    return "content-" + hashlib.sha256(facts.encode()).hexdigest()[:12]
