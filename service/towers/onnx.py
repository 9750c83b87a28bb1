"""Towers as ONNX files, run by onnxruntime on one thread."""

import math
import os
from collections.abc import Mapping

import numpy as np

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else it reports to its makers from a thread
import onnxruntime as ort

from service.domain.arrays import Vector, Vectors
from service.domain.sessions import Session
from service.errors import ReleaseRefused, TowerUnavailable
from service.ports.serving import Catalogue
from service.towers.features import Inputs
from service.towers.inputs import FLOAT, Slot, TowerFit
from service.towers.onnx_file import check_onnx_file

NORM_TOLERANCE = 1e-3
PROVIDERS = ("CPUExecutionProvider",)
USER_VECTOR = "user_vector"
ITEM_VECTOR = "item_vector"


class OnnxTower:
    """One ONNX file with one vector as its output.

    The session is made for a small model called once per request: one thread, no spinning, and
    neither arena nor memory pattern, which only ever grow to the largest batch seen.

    Attributes:
        properties: the file's metadata_props.

    Raises:
        ReleaseRefused: see `check_onnx_file`; onnxruntime cannot read it, or its output is not
            `output` float32 [B, dim].
    """

    def __init__(self, model: bytes, file: str, output: str, dim: int) -> None:
        self.file = file
        self.output = output
        self.dim = dim
        self.properties = check_onnx_file(model, file).properties
        self._session = _open(model, file)
        self.inputs = tuple(
            Slot(slot.name, slot.type, tuple(slot.shape)) for slot in self._session.get_inputs()
        )
        _check_output(self._session, file, output, dim)

    def run(self, inputs: Inputs) -> Vectors:
        """Vectors float32 [B, dim], unchecked; arrays that the tower does not declare are left out.

        Raises:
            TowerUnavailable: onnxruntime raised.
        """
        feed = {slot.name: inputs[slot.name] for slot in self.inputs}
        try:
            vectors: Vectors = self._session.run([self.output], feed)[0]
        except Exception as error:  # onnxruntime's errors share no base but this
            raise TowerUnavailable("exception", f"{self.file}: {error}") from error
        return vectors


class OnnxUserTower:
    """A user tower (`service.ports.serving.UserTower`) made from an ONNX file.

    Raises:
        ReleaseRefused: as `OnnxTower`, or its inputs are not those of `service.towers.inputs`.
    """

    def __init__(self, model: bytes, fit: TowerFit, file: str = "user_tower.onnx") -> None:
        self._tower = OnnxTower(model, file, USER_VECTOR, fit.dim)
        self._inputs = fit.serving_inputs(self._tower.inputs, file)

    @property
    def properties(self) -> Mapping[str, str]:
        """The file's metadata; `service.releases.stamps` says what has to be in it."""
        return self._tower.properties

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(slot.name for slot in self._tower.inputs)

    def embed(self, session: Session, catalogue: Catalogue, now_s: float) -> Vector:
        """The user vector, float32 [dim], finite and of unit length.

        Raises:
            TowerUnavailable: with the outcome nan, inf, zero, norm, dim or exception.
        """
        vectors = self._tower.run(self._inputs.of(session, catalogue, now_s))
        if vectors.shape != (1, self._tower.dim):
            raise TowerUnavailable("dim", f"{self._tower.file} gave shape {vectors.shape}")
        return checked(vectors[0])

    def run(self, inputs: Inputs) -> Vectors:
        """Vectors float32 [B, dim] for ready-made inputs, unchecked; see `OnnxTower.run`."""
        return self._tower.run(inputs)


def load_item_tower(model: bytes, dim: int, file: str = "item_tower.onnx") -> OnnxTower:
    """Open an item tower: its output must be `item_vector` float32 [B, dim].

    Raises:
        ReleaseRefused: as `OnnxTower`.
    """
    return OnnxTower(model, file, ITEM_VECTOR, dim)


def checked(vector: Vector) -> Vector:
    """The same vector if it is finite and of unit length (within 0.001).

    Raises:
        TowerUnavailable: with the outcome nan, inf, zero or norm.
    """
    wide = vector.astype(np.float64)  # whose squares are never too large
    square = float(wide @ wide)  # one number tells: not finite if any element is not
    if abs(square - 1.0) <= 2 * NORM_TOLERANCE:
        return vector
    if np.isnan(vector).any():
        raise TowerUnavailable("nan", "the user vector holds NaN")
    if np.isinf(vector).any():
        raise TowerUnavailable("inf", "the user vector holds an infinity")
    if square == 0.0:
        raise TowerUnavailable("zero", "the user vector is all zeros")
    raise TowerUnavailable("norm", f"the user vector has length {math.sqrt(square):.4g}, not 1")


def _open(model: bytes, file: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
    except Exception as error:  # onnxruntime's errors share no base but this
        detail = str(error).splitlines()[0][:200]
        raise ReleaseRefused(
            "tower", f"{file} cannot be opened ({detail}): export it again"
        ) from error


def _check_output(session: ort.InferenceSession, file: str, output: str, dim: int) -> None:
    slots = [Slot(s.name, s.type, tuple(s.shape)) for s in session.get_outputs()]
    slot = next((s for s in slots if s.name == output), None)
    if slot is None:
        found = ", ".join(s.name for s in slots)
        raise ReleaseRefused("tower", f"{file} has no output {output}, only {found}: rename it")
    width = slot.shape[-1] if len(slot.shape) == 2 else None  # noqa: PLR2004
    if slot.element != FLOAT or (isinstance(width, int) and width != dim) or width is None:
        raise ReleaseRefused(
            "tower",
            f"{file} gives {slot}, the manifest wants {output} {FLOAT} [B, {dim}]: export it again",
        )
