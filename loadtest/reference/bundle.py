"""What the reference services and the bare core calls read: the live release and packed sessions.

Written against the documented formats (docs/releases.md, docs/redis.md), without any of our code.
"""

import hashlib
import json
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
import onnxruntime as ort
import pyarrow.parquet as pq
from numpy.typing import NDArray

from loadtest.items import STORE, live_release

HEADER = struct.Struct("<B8sIHHHHBI")
MOMENT_BYTES, MARK_BYTES = 6, 12
Actions = list[tuple[str, int, float]]
"""Item id, action code (position in the manifest's `actions`) and epoch seconds; oldest first."""


def session_key(user_id: str) -> bytes:
    """The key of a person's session."""
    digest = hashlib.sha256(f"u:{user_id}".encode()).digest()
    return f"sightline:{{{digest[:16].hex()}}}:session".encode()


def unpack(value: object) -> Actions:
    """The actions of a packed session; none of a missing one."""
    if not isinstance(value, bytes):
        return []
    _, _, _, n, *marked, _, id_bytes = HEADER.unpack_from(value)
    start = HEADER.size + n * MOMENT_BYTES + sum(marked) * MARK_BYTES
    ids = value[start : start + id_bytes].decode().split("\n")[:n]
    packed = np.frombuffer(value, np.uint8, n * MOMENT_BYTES, HEADER.size)
    wide = np.zeros((n, 8), dtype=np.uint8)
    wide[:, :MOMENT_BYTES] = packed.reshape(n, MOMENT_BYTES)
    moments = wide.view("<i8")[:, 0].tolist()
    return [(i, m & 15, (m >> 4) / 1000) for i, m in zip(ids, moments, strict=True)]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One release, opened as anybody would."""

    item_ids: list[str]
    rows: dict[str, int]
    vectors: NDArray[np.float32]
    index: Any
    tower: ort.InferenceSession
    inputs: tuple[str, ...]
    history_length: int

    def tower_inputs(self, actions: Actions) -> dict[str, NDArray[Any]]:
        """Left-padded inputs for a batch of one, of those that the tower declares."""
        known = [a for a in actions if a[0] in self.rows][-self.history_length :]
        rows = np.zeros((1, self.history_length), dtype=np.int64)
        types, ages = np.zeros_like(rows), np.zeros(rows.shape, dtype=np.float32)
        vectors = np.zeros((*rows.shape, self.vectors.shape[1]), dtype=np.float32)
        if known:
            n, now = len(known), time.time()
            own = np.array([self.rows[item_id] for item_id, _, _ in known])
            rows[0, -n:] = own + 1
            types[0, -n:] = [code + 1 for _, code, _ in known]
            ages[0, -n:] = [max(0.0, now - at_s) for _, _, at_s in known]
            vectors[0, -n:] = self.vectors[own]
        arrays: dict[str, NDArray[Any]] = {
            "item_rows": rows,
            "action_types": types,
            "ages_s": ages,
            "item_vectors": vectors,
            "history_length": np.array([len(known)], dtype=np.int64),
        }
        return {name: arrays[name] for name in self.inputs}

    def embed(self, actions: Actions) -> NDArray[np.float32]:
        """The user vector, float32 [1, dim]."""
        vector: NDArray[np.float32] = self.tower.run(None, self.tower_inputs(actions))[0]
        return vector

    def exact(self, vector: NDArray[np.float32], n: int) -> set[str]:
        """Ids of the true n nearest items."""
        scores = self.vectors @ vector[0]
        return {self.item_ids[row] for row in np.argpartition(-scores, n - 1)[:n]}


def open_bundle(is_tuned: bool, store: Path = STORE) -> Bundle:
    """Opens the live release of a store.

    Args:
        is_tuned: one thread and no spinning, for onnxruntime and hnswlib alike.
        store: a folder of releases.
    """
    folder = live_release(store)
    manifest = json.loads((folder / "manifest.json").read_text())
    options = ort.SessionOptions()
    if is_tuned:
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    tower = ort.InferenceSession(
        folder / "user_tower.onnx", options, providers=["CPUExecutionProvider"]
    )
    index = hnswlib.Index(space="ip", dim=manifest["dim"])
    index.load_index(str(folder / "items.hnsw"))
    index.set_ef(max(100, manifest["index"]["ef_search"]))
    if is_tuned:
        index.set_num_threads(1)
    table = pq.read_table(folder / "catalogue.parquet", columns=["item_id"])
    item_ids = table["item_id"].to_pylist()
    return Bundle(
        item_ids=item_ids,
        rows={item_id: row for row, item_id in enumerate(item_ids)},
        vectors=np.load(folder / "item_vectors.npy"),
        index=index,
        tower=tower,
        inputs=tuple(slot.name for slot in tower.get_inputs()),
        history_length=manifest["history_length"],
    )
