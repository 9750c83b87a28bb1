"""Tensors and plain values on disk; nothing else is ever unpickled."""

import pickle
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch

from models.files import write_bytes


def save_tensors(path: Path, document: object) -> None:
    """Write tensors and plain values, atomically."""
    buffer = BytesIO()
    torch.save(document, buffer)
    write_bytes(path, buffer.getvalue())


def load_tensors(path: Path) -> dict[str, Any]:
    """Read tensors and plain values; nothing else is unpickled.

    Raises:
        ValueError: the file is missing, damaged or holds anything else.
    """
    if not is_zipfile(path):
        raise ValueError(f"{path.name} is missing or damaged")
    try:
        document: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{path.name} is damaged") from error
    return document
