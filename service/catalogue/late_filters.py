"""Which items that arrived pass filters: few enough to look at one by one, and to remember."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from service.domain.arrays import Mask
from service.domain.attributes import Kind, is_of_kind
from service.domain.items import Value
from service.domain.requests import Condition, Filters
from service.ports.serving import Attribute

REMEMBERED = 200
"""Filters whose answers are kept; each is one byte per arrival."""

Values = Mapping[str, Value]
"""What is known of an item, by attribute."""


class LateFilters:
    """Answers for all arrivals; what was looked at once is not looked at again."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._items: list[dict[str, Value]] = []
        self._known: dict[Filters, Mask] = {}

    def append(self, values: Values) -> None:
        """One more item has arrived; values of another kind than is declared are unknown."""
        self._items.append(self._usable(values))

    def of(self, place: int) -> Values:
        """What is known of an item."""
        return self._items[place]

    def change(self, place: int, values: Values) -> bool:
        """An item has these values now, and no others; False when they are what it had."""
        former, now = self._items[place], self._usable(values)
        self._items[place] = now
        changed = [name for name in former | now if former.get(name) != now.get(name)]
        for filters in [*self._known]:
            if any(map(filters.mentions, changed)):
                del self._known[filters]
        return bool(changed)

    def _usable(self, values: Values) -> dict[str, Value]:
        kinds = self._kinds
        return {n: v for n, v in values.items() if n in kinds and is_of_kind(kinds[n], v)}

    def known_to(self, built: Mapping[str, Attribute]) -> dict[str, Attribute]:
        """The attributes of a release, which know the words of arrivals too."""
        return {name: Grown(attribute, self, name) for name, attribute in built.items()}

    def has_word(self, name: str, word: str) -> bool:
        """Whether any of them has this word."""
        return bool(self.matching(Filters.of({name: Condition(any_of=(word,))})).any())

    def matching(self, filters: Filters) -> Mask:
        """Which of them pass, bool [m]; under an undeclared attribute none does."""
        known = self._known.get(filters)
        n_known = 0 if known is None else len(known)
        if known is not None and n_known == len(self._items):
            return known
        checks = [self._check(name, condition) for name, condition in filters.conditions]
        more = [all(check(item) for check in checks) for item in self._items[n_known:]]
        mask = np.array(more, dtype=np.bool_)
        if known is not None:
            mask = np.concatenate((known, mask))
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[filters] = mask
        return mask

    def _check(self, name: str, condition: Condition) -> Callable[[Values], bool]:
        kind = self._kinds.get(name)
        if kind is None:
            return _never
        test = _TESTS[kind]
        return lambda item: test(item.get(name), condition)


@dataclass(frozen=True, slots=True)
class Grown:
    """An attribute of a release (`service.ports.serving.Attribute`), and words of arrivals."""

    built: Attribute
    late: LateFilters
    name: str

    @property
    def kind(self) -> Kind:
        return self.built.kind

    def passing(self, condition: Condition) -> Mask:
        """Which items of the release meet the condition, bool [n_built]."""
        return self.built.passing(condition)

    def unknown(self, condition: Condition) -> tuple[str, ...]:
        """Words of the condition that no item has, old or new."""
        words = self.built.unknown(condition)
        return tuple(word for word in words if not self.late.has_word(self.name, word))


def _never(_: Values) -> bool:
    return False


def _words(value: Value | None, condition: Condition) -> bool:
    words = {value} if isinstance(value, str) else set(value or ())  # type: ignore[arg-type]
    words.discard("")
    is_wanted = not condition.any_of or not words.isdisjoint(condition.any_of)
    return is_wanted and words.isdisjoint(condition.none_of)


def _number(value: Value | None, condition: Condition) -> bool:
    number = np.float32(value if isinstance(value, float | int) else np.nan)  # NaN: in no range
    if condition.at_least is not None and not number >= np.float32(condition.at_least):
        return False
    return condition.at_most is None or bool(number <= np.float32(condition.at_most))


def _flag(value: Value | None, condition: Condition) -> bool:
    return condition.is_set is None or (value is True) == condition.is_set


_TESTS: Mapping[Kind, Callable[[Value | None, Condition], bool]] = {
    Kind.CATEGORY: _words,
    Kind.TAGS: _words,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
}
