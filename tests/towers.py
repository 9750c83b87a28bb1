"""Small ONNX towers for tests: right ones, and ones with a fault."""

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from models.building.mean_tower import onnx_bytes

INT64, FLOAT = TensorProto.INT64, TensorProto.FLOAT
Shape = Sequence[str | int]


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
