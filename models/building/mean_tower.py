"""A user tower that needs no training: a weighted mean of the last items, written as ONNX."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from service.domain.actions import ACTIONS, NEGATIVE, STRENGTH
from service.domain.arrays import Vector

OPSET = 17
IR_VERSION = 9
HALF_LIFE_S = 30 * 86_400.0
NEGATIVE_WEIGHT = -0.3
PRIOR_WEIGHT = 0.05
"""Small beside one view: the prior speaks where nothing else does."""


def mean_tower(dim: int, history_length: int, prior: Vector, version: str) -> bytes:
    """Build the tower u = unit(prior weight * prior + sum of weight(type) * 2^(-age / 30 d) * v).

    Args:
        dim: length of the vectors.
        history_length: H.
        prior: float32 [dim], unit length: the answer to an empty history.
        version: embedding version, kept in the file's metadata.

    Returns:
        An ONNX file with the inputs item_vectors, action_types, ages_s.
    """
    constants = [
        _constant("weights", _type_weights()),
        _constant("decay", np.array(-np.log(2.0) / HALF_LIFE_S, dtype=np.float32)),
        _constant("prior", (PRIOR_WEIGHT * prior).astype(np.float32)[None, :]),
        _constant("tiny", np.array(1e-12, dtype=np.float32)),
        _constant("last", np.array([2], dtype=np.int64)),
        _constant("actions", np.array([1], dtype=np.int64)),
    ]
    nodes = [
        helper.make_node("Gather", ["weights", "action_types"], ["by_type"]),
        helper.make_node("Mul", ["ages_s", "decay"], ["exponent"]),
        helper.make_node("Exp", ["exponent"], ["by_age"]),
        helper.make_node("Mul", ["by_type", "by_age"], ["weight"]),
        helper.make_node("Unsqueeze", ["weight", "last"], ["column"]),
        helper.make_node("Mul", ["item_vectors", "column"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "actions"], ["sum"], keepdims=0),
        helper.make_node("Add", ["sum", "prior"], ["mixed"]),
        helper.make_node("ReduceL2", ["mixed"], ["length"], axes=[1], keepdims=1),
        helper.make_node("Max", ["length", "tiny"], ["safe_length"]),
        helper.make_node("Div", ["mixed", "safe_length"], ["user_vector"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mean_tower",
        [
            _slot("item_vectors", TensorProto.FLOAT, ["B", history_length, dim]),
            _slot("action_types", TensorProto.INT64, ["B", history_length]),
            _slot("ages_s", TensorProto.FLOAT, ["B", history_length]),
        ],
        [_slot("user_vector", TensorProto.FLOAT, ["B", dim])],
        constants,
    )
    return onnx_bytes(graph, {"embedding_version": version})


def onnx_bytes(graph: onnx.GraphProto, properties: Mapping[str, str]) -> bytes:
    """The checked model file of a graph, with its metadata."""
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    helper.set_model_props(model, dict(properties))
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def _type_weights() -> NDArray[np.float32]:
    """By position + 1 in ACTIONS; 0 for padding."""
    signed = [NEGATIVE_WEIGHT if name in NEGATIVE else STRENGTH[name] for name in ACTIONS]
    return np.array([0.0, *signed], dtype=np.float32)


def _constant(name: str, value: NDArray) -> TensorProto:  # type: ignore[type-arg]
    return numpy_helper.from_array(np.asarray(value), name)


def _slot(name: str, element: int, shape: Sequence[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)
