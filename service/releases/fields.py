"""Typed reading of a JSON document, with errors that name the place."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from service.errors import ReleaseRefused


class Fields:
    """An object inside a JSON document; every reader raises `ReleaseRefused` ("manifest")."""

    def __init__(self, place: str, value: object) -> None:
        self._place = place
        if not isinstance(value, Mapping):
            raise self.refused(f"must be an object, not {_shown(value)}")
        self._values: Mapping[str, object] = value

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self._values)

    def refused(self, what: str) -> ReleaseRefused:
        return ReleaseRefused("manifest", f"{self._place}: {what}")

    def is_null(self, name: str) -> bool:
        return self._value(name) is None

    def text(self, name: str) -> str:
        value = self._value(name)
        if not isinstance(value, str) or not value:
            raise self._wrong(name, "a text that is not empty", value)
        return value

    def one_of(self, name: str, allowed: Sequence[str]) -> str:
        value = self.text(name)
        if value not in allowed:
            raise self._wrong(name, " or ".join(allowed), value)
        return value

    def instant(self, name: str) -> str:
        """An instant as ISO 8601 with its offset; returned as written."""
        value = self.text(name)
        try:
            has_offset = datetime.fromisoformat(value).tzinfo is not None
        except ValueError:
            has_offset = False
        if not has_offset:
            raise self._wrong(name, "an instant such as 2026-01-31T12:00:00+00:00", value)
        return value

    def whole(self, name: str, low: int, high: int | None = None) -> int:
        value = self._value(name)
        fits = isinstance(value, int) and not isinstance(value, bool)
        if not fits or value < low or (high is not None and value > high):  # type: ignore[operator]
            wanted = f"at least {low}" if high is None else f"between {low} and {high}"
            raise self._wrong(name, f"a whole number, {wanted}", value)
        return int(value)  # type: ignore[call-overload, no-any-return]

    def number(self, name: str, low: float, high: float = math.inf) -> float:
        value = self._value(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, "a number", value)
        if not low <= value <= high or not math.isfinite(value):
            wanted = f"at least {low}" if high == math.inf else f"between {low} and {high}"
            raise self._wrong(name, f"a finite number, {wanted}", value)
        return float(value)

    def truth(self, name: str) -> bool:
        value = self._value(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false", value)
        return value

    def names(self, name: str, at_least: int = 0) -> tuple[str, ...]:
        """A list of distinct texts."""
        value = self._value(name)
        fits = isinstance(value, list) and all(isinstance(item, str) and item for item in value)
        if not isinstance(value, list) or not fits or len(set(value)) < len(value):
            raise self._wrong(name, "a list of distinct texts", value)
        if len(value) < at_least:
            raise self._wrong(name, "a list that is not empty", value)
        return tuple(value)

    def mapping(self, name: str) -> Mapping[str, object]:
        value = self._value(name)
        if not isinstance(value, Mapping):
            raise self._wrong(name, "an object", value)
        return value

    def part(self, name: str) -> "Fields":
        return Fields(f"{self._place}: {name}", self._value(name))

    def _value(self, name: str) -> object:
        if name not in self._values:
            raise self.refused(f"{name} is missing: publish the release again")
        return self._values[name]

    def _wrong(self, name: str, wanted: str, found: object) -> ReleaseRefused:
        return self.refused(f"{name} must be {wanted}, not {_shown(found)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004
