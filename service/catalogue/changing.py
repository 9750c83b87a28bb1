"""An attribute of a release whose values change while the release is served."""

import numpy as np
import pyarrow as pa

from service.catalogue.attributes import read_attribute
from service.domain.arrays import NO_ROWS, Mask
from service.domain.attributes import Kind
from service.domain.items import Value
from service.domain.requests import Condition
from service.ports.serving import Attribute

TYPES = {
    Kind.CATEGORY: pa.string(),
    Kind.TAGS: pa.list_(pa.string()),
    Kind.NUMBER: pa.float32(),
    Kind.FLAG: pa.bool_(),
}


class Changing:
    """A column as it was built (`service.ports.serving.Attribute`), and a small one of changes.

    The small one is made anew when somebody asks after a change: changes come in bursts.
    """

    def __init__(self, built: Attribute) -> None:
        self.kind = built.kind
        self._built = built
        self._said: dict[int, Value] = {}
        self._rows = NO_ROWS
        self._changed: Attribute | None = None

    def change(self, row: int, value: Value) -> bool:
        """An item has another value now; False when the same was said before."""
        if self._said.get(row) == value:
            return False
        self._said[row] = value
        self._changed = None
        return True

    def passing(self, condition: Condition) -> Mask:
        """Which items meet the condition, bool [n_items]."""
        mask = self._built.passing(condition)
        if self._said:
            changes = self._changes()
            mask[self._rows] = changes.passing(condition)
        return mask

    def unknown(self, condition: Condition) -> tuple[str, ...]:
        """Words of the condition that no item has, or had when the release was built."""
        words = self._built.unknown(condition)
        if not (words and self._said):
            return words
        strange = self._changes().unknown(condition)
        return tuple(word for word in words if word in strange)

    def _changes(self) -> Attribute:
        if self._changed is None:
            self._rows = np.fromiter(self._said, dtype=np.int64)
            values = pa.array(self._said.values(), TYPES[self.kind])
            self._changed = read_attribute(pa.chunked_array([values]))
        return self._changed
