"""Where staged releases listen for samples: one Unix socket each, in a folder of the service."""

import hashlib
from pathlib import Path

PREFIX, ENDING = "shadow-", ".sock"
NAME_BYTES = 6
LINE_BYTES = 2**20
"""Longest line that is read: a request of the largest size is well below it."""


def socket_of(folder: Path, release: str) -> Path:
    """The socket of a release; a digest stands for the name, for such paths must be short."""
    digest = hashlib.blake2b(release.encode(), digest_size=NAME_BYTES).hexdigest()
    return folder / f"{PREFIX}{digest}{ENDING}"


def sockets_in(folder: Path) -> set[Path]:
    """All of them, those of families that died too."""
    return set(folder.glob(f"{PREFIX}*{ENDING}"))
