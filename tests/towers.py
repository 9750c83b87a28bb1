"""Small ONNX towers for tests: right ones, and ones with a fault."""

import json
from collections.abc import Sequence

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from models.building.mean_tower import onnx_bytes
from service.domain.arrays import Vectors
from service.towers.item_features import ItemVocabulary

INT64, FLOAT = TensorProto.INT64, TensorProto.FLOAT
Shape = Sequence[str | int]


def category_tower(categories: Sequence[str], centres: Vectors, version: str) -> bytes:
    """An item tower that puts every item at the centre of its category.

    Args:
        centres: float32 [n categories, dim]; an item of another category goes to their mean.
    """
    table = np.concatenate([centres.mean(axis=0, keepdims=True), centres]).astype(np.float32)
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    slot = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "category"], ["item_vector"])],
        "categories",
        [slot("category", INT64, ["B"])],
        [slot("item_vector", FLOAT, ["B", centres.shape[1]])],
        [numpy_helper.from_array(table, "table")],
    )
    vocabulary = ItemVocabulary(categories=tuple(categories)).to_json()
    properties = {"embedding_version": version, "vocabulary": json.dumps(vocabulary)}
    return onnx_bytes(graph, properties)


def constant_tower(
    answer: Sequence[float],
    inputs: dict[str, tuple[int, Shape]] | None = None,
    output: str = "user_vector",
    version: str = "test-1",
) -> bytes:
    """A tower that declares these inputs, and answers the same vector to everything."""
    inputs = inputs or {"item_rows": (INT64, ["B", 20])}
    slots = [helper.make_tensor_value_info(n, *kind) for n, kind in inputs.items()]
    first = next(iter(inputs))
    constants = [
        numpy_helper.from_array(np.array([answer], dtype=np.float32), "answer"),
        numpy_helper.from_array(np.array([0], dtype=np.int64), "zero"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "one"),
        numpy_helper.from_array(np.array([len(answer)], dtype=np.int64), "dim"),
    ]
    nodes = [
        helper.make_node("Shape", [first], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "one"], ["batch"]),
        helper.make_node("Concat", ["batch", "dim"], ["wanted"], axis=0),
        helper.make_node("Expand", ["answer", "wanted"], [output]),
    ]
    result = helper.make_tensor_value_info(output, FLOAT, ["B", len(answer)])
    graph = helper.make_graph(nodes, "constant", slots, [result], constants)
    return onnx_bytes(graph, {"embedding_version": version})
