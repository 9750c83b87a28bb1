"""Files that are either the old one or the new one, never half of either."""

import os
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file atomically: write beside it, flush to disk, rename."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
