"""What each way of searching costs: the numbers by which the router chooses.

Microseconds of processor time for vectors of 64 dimensions on one core of a server processor; only
their ratios matter. They were chosen by what `make bench-filters` prints.
"""

import math

DIM = 64

GRAPH_US = 40.0
GRAPH_STEP_US = 0.25
"""Per unit of ef among 1000 items."""
GRAPH_DOUBLING_US = 0.14
"""More of it for each doubling of the items: larger graphs miss the processor's caches."""

SCAN_US = 30.0
"""Of any way that scores rows, and takes the best of them."""
SCAN_ROW_US = 0.015
"""Of rows that lie together."""
GATHER_ROW_US = 0.055
"""Of scattered rows."""
COPY_ROW_US = 0.012
COPIED_ROW_US = 0.025
"""Of those in a copy, where they lie closer together."""
PLAN_US = 1200.0
"""An exact way that costs less is taken without a plan: that costs some of it, too."""
BLOCKS_US = 400.0
BLOCKS_ROW_US = 0.016
"""Of the blocks that are looked at, each a small product of its own."""


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


def copy_us(rows: int, dim: int) -> float:
    """Scoring a copy of the rows."""
    return SCAN_US + rows * COPY_ROW_US * dim / DIM


def blocks_us(rows: int, is_gathered: bool, is_copied: bool, dim: int) -> float:
    """Looking at the blocks that may hold near items, planned already."""
    row_us = GATHER_ROW_US if is_gathered else BLOCKS_ROW_US
    return BLOCKS_US + rows * (COPIED_ROW_US if is_copied else row_us) * dim / DIM
