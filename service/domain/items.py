"""Item ids and their hashes."""

import hashlib


def item_hash(item_id: str) -> int:
    """The first 8 bytes of SHA-256 of the UTF-8 id, little endian, as an unsigned number.

    Bounded sets in Redis hold these instead of ids; SHA-256 so that a producer in any language
    can compute it.
    """
    return int.from_bytes(hashlib.sha256(item_id.encode()).digest()[:8], "little")
