"""Arrays of a release with room for the items that arrive while it is served."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from service.domain.arrays import Rows, Vector, Vectors

ARRIVALS_MAX = 10_000
"""Items taken in on top of a release; a brute-force search over so many takes 0.1 ms."""


class Joined(Sequence[str]):
    """Texts of the release, which stay as they are, and those that arrived."""

    def __init__(self, built: Sequence[str]) -> None:
        self._built, self._n_built = built, len(built)
        self._late: list[str] = []

    def __len__(self) -> int:
        return self._n_built + len(self._late)

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[str, ...]: ...

    def __getitem__(self, at: int | slice) -> str | tuple[str, ...]:
        if isinstance(at, slice):
            return tuple(self[i] for i in range(*at.indices(len(self))))
        at = at + len(self) if at < 0 else at
        return self._built[at] if at < self._n_built else self._late[at - self._n_built]

    def at(self, rows: Rows) -> tuple[str, ...]:
        """The texts of these rows, [n]."""
        has_late = self._late and np.max(rows, initial=0) >= self._n_built
        find = self.__getitem__ if has_late else self._built.__getitem__
        return tuple(map(find, rows.tolist()))

    def append(self, text: str) -> None:
        self._late.append(text)


class Growing:
    """A column, [n], that can be written and can grow by `ARRIVALS_MAX`.

    Attributes:
        values: what is there, a view that callers cannot write; another one after each growth.
    """

    __slots__ = ("_room", "values")

    def __init__(self, built: NDArray[Any]) -> None:
        self._room = np.empty(len(built) + ARRIVALS_MAX, dtype=built.dtype)
        self._room[: len(built)] = built
        self._show(len(built))

    def append(self, value: object) -> None:
        n = len(self.values)
        self._room[n] = value
        self._show(n + 1)

    def write(self, row: int, value: object) -> None:
        self._room[row] = value

    def _show(self, n: int) -> None:
        self.values = self._room[:n]
        self.values.setflags(write=False)


class GrowingVectors:
    """The vectors of a release, and of what arrived, float32 [n, dim].

    It can be indexed by a row, or by an array of rows of any shape.
    """

    def __init__(self, built: Vectors) -> None:
        self._built = np.asarray(built)
        self._n_built = len(built)
        self._late = np.empty((ARRIVALS_MAX, built.shape[1]), dtype=np.float32)
        self._n_late = 0

    def __len__(self) -> int:
        return self._n_built + self._n_late

    def __getitem__(self, rows: Rows | int) -> Vectors:
        if not self._n_late or np.max(rows, initial=0) < self._n_built:
            found: Vectors = self._built[rows]
            return found
        wanted = np.asarray(rows)
        is_late = wanted >= self._n_built
        found = self._built[np.where(is_late, 0, wanted)]
        found[is_late] = self._late[wanted[is_late] - self._n_built]
        return found

    @property
    def late(self) -> Vectors:
        """Those that arrived, float32 [m, dim]."""
        return self._late[: self._n_late]

    def append(self, vector: Vector) -> None:
        self._late[self._n_late] = vector
        self._n_late += 1
