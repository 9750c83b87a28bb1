"""A small catalogue in memory that can be changed while it is served."""

import numpy as np
import pyarrow as pa

from service.catalogue.attributes import read_attribute
from service.catalogue.columns import Columns
from service.domain.items import item_hash

DIM = 4
CATEGORIES = ["books", "toys"]


def small_columns(n: int = 6) -> Columns:
    """Items i0 ... in two categories; every price is 1, and the vectors are unit vectors."""
    ids = tuple(f"i{row}" for row in range(n))
    return Columns(
        item_ids=ids,
        titles=ids,
        hashes=np.array([item_hash(one) for one in ids], dtype=np.uint64),
        categories=(np.arange(n) % 2).astype(np.int32),
        category_names=("books", "toys"),
        sellers=np.full(n, -1, dtype=np.int32),
        seller_names=("anna",),
        prices=np.ones(n, dtype=np.float32),
        in_stock=np.ones(n, dtype=np.bool_),
        is_blocked=np.zeros(n, dtype=np.bool_),
        is_new=np.zeros(n, dtype=np.bool_),
        is_little_known=np.zeros(n, dtype=np.bool_),
        popularity=np.linspace(1.0, 0.1, n).astype(np.float32),
        first_seen_s=np.zeros(n),
        vectors=np.eye(DIM, dtype=np.float32)[np.arange(n) % DIM],
        row_by_id={one: row for row, one in enumerate(ids)},
        attributes={
            "category": read_attribute(pa.chunked_array([CATEGORIES * (n // 2)])),
            "seller": read_attribute(pa.chunked_array([[""] * n])),
            "price": read_attribute(pa.chunked_array([[1.0] * n])),
            "tags": read_attribute(pa.chunked_array([[["old"]] * n])),
            "is_vegan": read_attribute(pa.chunked_array([[False, True] * (n // 2)])),
        },
    )
