"""One set of numbers from those of several processes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.monitoring.cells import CELL_BYTES, OWNER, read_text
from service.monitoring.layout import Layout, Place
from service.monitoring.spec import Labels, Mode

Numbers = NDArray[np.float64]
"""One number per cell, NaN = not set, float64 [n_cells] or [n_processes, n_cells]."""
OpenSeries = dict[Labels, float]


class Combined:
    """What all processes counted together; gauges only of those that live.

    Attributes:
        numbers: one per cell; cells of open series mean nothing here.
    """

    def __init__(self, layout: Layout, contents: Sequence[bytes]) -> None:
        """`contents`: `Cells.content` of at least one process."""
        self._shape = layout.shape
        n_cells = layout.shape.n_cells
        table = np.stack([np.frombuffer(one, np.float64, n_cells) for one in contents])
        is_living = table[:, OWNER] != 0
        gauges = np.vstack([table[is_living], np.full((1, n_cells), np.nan)])
        self.numbers: Numbers = table.sum(axis=0)
        for mode, cells in _gauge_cells(layout).items():
            self.numbers[cells] = _reduced(gauges[:, cells], mode)
        self._living = [one for one, lives in zip(contents, is_living, strict=True) if lives]

    def open_series(self, place: Place) -> OpenSeries:
        """The series of a gauge with open labels: the greatest number for each label values."""
        found: OpenSeries = {}
        for content in self._living:
            numbers = np.frombuffer(content, np.float64, self._shape.n_cells)
            texts = content[self._shape.n_cells * CELL_BYTES :]
            for i in np.flatnonzero(~np.isnan(numbers[place.at : place.at + place.n_series])):
                values = read_text(texts, place.text + int(i))
                found[values] = max(found.get(values, -np.inf), float(numbers[place.at + i]))
        return found


def _gauge_cells(layout: Layout) -> dict[Mode, list[int]]:
    """The cells of gauges by how they are combined."""
    cells: dict[Mode, list[int]] = {}
    for place in layout.places.values():
        if place.spec.kind == "gauge":
            cells.setdefault(place.spec.mode, []).extend(place.cells())
    return cells


def _reduced(gauges: Numbers, mode: Mode) -> Numbers:
    reduced: Numbers
    if mode == "livesum":
        reduced = np.where(np.isnan(gauges).all(axis=0), np.nan, np.nansum(gauges, axis=0))
    else:
        reduced = (np.fmin if mode == "livemin" else np.fmax).reduce(gauges, axis=0)
    return reduced
