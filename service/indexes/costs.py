"""What each way of searching costs: the numbers by which the router chooses.

Microseconds of processor time for vectors of 64 dimensions on one core of a server processor; only
their ratios matter. They were chosen by what `make bench-filters` prints.
"""

import math

DIM = 64

GRAPH_US = 40.0
GRAPH_STEP_US = 0.5
"""Per unit of ef among 1000 items."""
GRAPH_DOUBLING_US = 0.3
"""More of it for each doubling of the items: larger graphs miss the processor's caches."""

SCAN_US = 30.0
"""Of any way that scores rows, and takes the best of them."""
SCAN_ROW_US = 0.02
"""Of rows that lie together."""
GATHER_ROW_US = 0.08
"""Of scattered rows."""
BLOCKS_US = 300.0
BLOCK_US = 0.035
"""Of planning with a block and of what is looked at after that."""


def graph_us(ef: int, n_items: int) -> float:
    """A search of the graph."""
    step_us = GRAPH_STEP_US + GRAPH_DOUBLING_US * math.log2(max(1.0, n_items / 1000))
    return GRAPH_US + ef * step_us


def sweep_us(rows: int, dim: int) -> float:
    """Scoring all rows of some blocks."""
    return SCAN_US + rows * SCAN_ROW_US * dim / DIM


def gather_us(rows: int, dim: int) -> float:
    """Collecting and scoring scattered rows."""
    return SCAN_US + rows * GATHER_ROW_US * dim / DIM


def blocks_us(n_blocks: int, dim: int) -> float:
    """Planning which of the blocks with passing items may hold near ones, and looking at those."""
    return BLOCKS_US + n_blocks * BLOCK_US * dim / DIM
