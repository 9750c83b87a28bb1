"""An index file as the state that hnswlib makes an index from (`Index.__setstate__` of 0.8.0)."""

import math

import numpy as np

from service.indexes.hnsw_file import IndexFile
from service.indexes.hnsw_links import LINK_BYTES

SERIALISATION = 1


def state_of(file: IndexFile, space: str) -> dict[str, object]:
    """What hnswlib copies into an index of its own; nothing of it is looked at by hnswlib.

    What matters only when items are added is taken as hnswlib sets it.
    """
    header = file.header
    return {
        "ser_version": SERIALISATION,
        "space": space,
        "dim": header.dim,
        "index_inited": True,
        "ep_added": True,
        "normalize": False,
        "num_threads": 1,
        "seed": 0,
        "offset_level0": header.offset_level0,
        "max_elements": header.max_elements,
        "cur_element_count": header.count,
        "size_data_per_element": header.record_bytes,
        "label_offset": header.label_offset,
        "offset_data": header.vector_offset,
        "max_level": header.max_level,
        "enterpoint_node": header.entry_point,
        "max_M": header.max_links,
        "max_M0": header.max_links0,
        "M": header.m,
        "mult": 1.0 / math.log(header.m),
        "ef_construction": max(header.ef_construction, header.m),
        "ef": header.m,
        "has_deletions": False,
        "size_links_per_element": (header.max_links + 1) * LINK_BYTES,
        "allow_replace_deleted": False,
        "label_lookup_external": file.labels.astype(np.uint64),
        "label_lookup_internal": np.arange(header.count, dtype=np.uint32),
        "element_levels": file.upper.levels,
        "data_level0": file.records.reshape(-1).view(np.int8),
        "link_lists": file.upper.without_lengths().view(np.int8),
    }
