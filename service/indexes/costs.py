"""What each way of searching costs: the numbers by which the router chooses.

Microseconds of processor time of the slowest tenth of searches, for vectors of 64 dimensions on
one core of a server processor that it shares with others; only their ratios matter.
`make bench-filters` prints what comes out of them.
"""

import math

DIM = 64

GRAPH_TAIL = 1.4
"""The slowest tenth of graph searches beside the median."""
GRAPH_US = 40.0
GRAPH_STEP_US = 0.25
"""Per unit of ef among 1000 items; measured 0.25, 0.4, 1.2, 1.6 us at 1e3, 4e3, 1e5, 1e6 items."""
GRAPH_DOUBLING_US = 0.14
"""More of it for each doubling of the items: larger graphs miss the processor's caches."""

SCAN_US = 30.0
"""Of any way that scores rows, and takes the best of them."""
SCAN_ROW_US = 0.010
"""Of rows that lie together: 0.006 while they fit into the caches, 0.013 beyond."""
GATHER_ROW_US = 0.055
"""Of scattered rows: 0.04 of up to 10,000, 0.08 of 50,000."""
COPY_ROW_US = 0.009
BLOCKS_US = 250.0
BLOCKS_ROW_US = 0.020
"""Of the blocks that are looked at, each a small product of its own."""


def graph_us(ef: int, n_items: int) -> float:
    """A search of the graph."""
    step_us = GRAPH_STEP_US + GRAPH_DOUBLING_US * math.log2(max(1.0, n_items / 1000))
    return GRAPH_TAIL * (GRAPH_US + ef * step_us)


def sweep_us(rows: int, dim: int) -> float:
    """Scoring all rows of some blocks."""
    return SCAN_US + rows * SCAN_ROW_US * dim / DIM


def gather_us(rows: int, dim: int) -> float:
    """Collecting and scoring scattered rows."""
    return SCAN_US + rows * GATHER_ROW_US * dim / DIM


def copy_us(rows: int, dim: int) -> float:
    """Scoring a copy of the rows."""
    return SCAN_US + rows * COPY_ROW_US * dim / DIM


def blocks_us(rows: float, dim: int) -> float:
    """Looking at the blocks that may hold near items."""
    return BLOCKS_US + rows * BLOCKS_ROW_US * dim / DIM
