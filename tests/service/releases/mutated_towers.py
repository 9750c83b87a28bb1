"""Towers as a builder at fault publishes them: swapped, foreign, of other operators, not alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from models.building.mean_tower import mean_tower
from tests.service.releases.breaking import replace_file, sign
from tests.service.releases.mutations import Mutation
from tests.towers import FLOAT, INT64, constant_tower

USER, ITEM = "user_tower.onnx", "item_tower.onnx"
DIM, LENGTH, VERSION = 16, 20, "test-1"
EAST: list[float] = np.eye(DIM)[0].tolist()

Edit = Callable[[onnx.ModelProto], object]


def _replaced(content: bytes, reason: str = "tower", name: str = USER) -> Mutation:
    return Mutation(lambda release, _: replace_file(release, name, content), reason, name)


def _edited(reason: str, edit: Edit, name: str = USER) -> Mutation:
    """The tower of the release with its graph changed."""

    def change(release: Path, other: Path) -> None:
        model = onnx.load_from_string((release / name).read_bytes())
        edit(model)
        replace_file(release, name, model.SerializeToString())

    return Mutation(change, reason, name)


def _swapped(release: Path, other: Path) -> None:
    user, item = ((release / name).read_bytes() for name in (USER, ITEM))
    (release / USER).write_bytes(item)
    (release / ITEM).write_bytes(user)
    sign(release)


def _of_the_other_model(release: Path, other: Path) -> None:
    replace_file(release, USER, (other / USER).read_bytes())


def _of_the_other_model_renamed(release: Path, other: Path) -> None:
    model = onnx.load_from_string((other / USER).read_bytes())
    helper.set_model_props(model, {"embedding_version": VERSION})
    replace_file(release, USER, model.SerializeToString())


def _external(location: str) -> Edit:
    def edit(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return edit


def _external_in_an_attribute(model: onnx.ModelProto) -> None:
    value = numpy_helper.from_array(np.zeros(4, dtype=np.float32), "hidden")
    value.ClearField("raw_data")
    value.external_data.add(key="location", value="../../etc/passwd")
    model.graph.node.append(helper.make_node("Constant", [], ["hidden"], value=value))


def _node(operator: str, domain: str = "", **attributes: object) -> Edit:
    def edit(model: onnx.ModelProto) -> None:
        if domain:
            model.opset_import.add(domain=domain, version=1)
        model.graph.node.append(
            helper.make_node(operator, [], ["unused"], domain=domain, **attributes)
        )

    return edit


def _nested(model: onnx.ModelProto) -> None:
    """A random number inside a branch."""
    inner = helper.make_graph(
        [helper.make_node("RandomNormal", [], ["noise"], shape=[1])],
        "inner",
        [],
        [helper.make_tensor_value_info("noise", FLOAT, [1])],
    )
    node = helper.make_node("If", ["ready"], ["unused"], then_branch=inner, else_branch=inner)
    model.graph.node.append(node)


def _with_function(model: onnx.ModelProto) -> None:
    body = [helper.make_node("Identity", ["x"], ["y"])]
    opsets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("", "Exp", ["x"], ["y"], body, opsets))


def _opset(version: int) -> Edit:
    return lambda model: setattr(model.opset_import[0], "version", version)


def _renamed(model: onnx.ModelProto) -> None:
    for slot in model.graph.input:
        slot.name = f"my_{slot.name}"
    for node in model.graph.node:
        node.input[:] = [f"my_{n}" if n in INPUTS else n for n in node.input]


INPUTS = ("item_vectors", "action_types", "ages_s")


def _with_prior(prior: float) -> Mutation:
    """A tower that answers the empty history with NaN, whatever the prior; others are right."""

    def edit(model: onnx.ModelProto) -> None:
        for constant in model.graph.initializer:
            if constant.name == "prior":
                value = np.full((1, DIM), prior, dtype=np.float32)
                constant.CopyFrom(numpy_helper.from_array(value, "prior"))

    return _edited("golden", edit)


TOWERS = {
    "swapped towers": Mutation(_swapped, "tower", USER),
    "tower of model 1, index of model 2": Mutation(_of_the_other_model, "version", USER),
    "the same under the right version": Mutation(_of_the_other_model_renamed, "golden", USER),
    "another prior": _with_prior(-0.05),
    "NaN for an empty history": _with_prior(float("nan")),
    "nothing for an empty history": _with_prior(0.0),
    "text in place of a tower": _replaced(b"hello " * 100),
    "an empty tower": _replaced(b"", "tower"),
    "half a tower": _replaced(mean_tower(DIM, LENGTH, np.array(EAST), VERSION)[:700]),
    "weights upwards": _edited("external_data", _external("../../etc/passwd")),
    "weights at an absolute path": _edited("external_data", _external("/etc/passwd")),
    "weights in another file": _edited("external_data", _external("weights.bin")),
    "weights of an item tower in another file": _edited(
        "external_data", _external("weights.bin"), ITEM
    ),
    "weights outside, in an attribute": _edited("external_data", _external_in_an_attribute),
    "an operator of its own": _edited("operators", _node("Magic", "com.example")),
    "an operator of a vendor": _edited("operators", _node("Gelu", "com.microsoft")),
    "a redefined operator": _edited("operators", _with_function),
    "a random number": _edited("operators", _node("RandomUniform", shape=[1])),
    "a random number in a branch": _edited("operators", _nested),
    "a loop": _edited("operators", _node("Loop")),
    "an unknown operator": _edited("tower", _node("Frobnicate")),
    "an old opset": _edited("tower", _opset(7)),
    "an opset of the future": _edited("tower", _opset(99)),
    "other input names": _edited("tower", _renamed),
    "an unknown input": _replaced(constant_tower(EAST, {"moon": (FLOAT, ["B", 1])})),
    "an input of another type": _replaced(constant_tower(EAST, {"item_rows": (FLOAT, ["B", 20])})),
    "an input of another length": _replaced(
        constant_tower(EAST, {"item_rows": (INT64, ["B", 50])})
    ),
    "an output of another width": _replaced(constant_tower(EAST[:8])),
    "an output of another name": _replaced(constant_tower(EAST, output="vector")),
    "an item tower of another width": _replaced(
        constant_tower(EAST[:8], {"category": (INT64, ["B"])}, "item_vector"), name=ITEM
    ),
}
