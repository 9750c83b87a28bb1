"""The kinds of item attributes that requests may filter by."""

from enum import StrEnum


class Kind(StrEnum):
    """What an attribute holds, and so what can be asked of it."""

    CATEGORY = "category"  # one word or none
    TAGS = "tags"  # any number of words
    NUMBER = "number"
    FLAG = "flag"


BUILT_IN = {"category": Kind.CATEGORY, "seller": Kind.CATEGORY, "price": Kind.NUMBER}
"""Attributes that every catalogue has; a manifest that declares none means these."""


def is_of_kind(kind: Kind, value: object) -> bool:
    """Whether an attribute of this kind can have this value."""
    if kind is Kind.NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    types = {Kind.CATEGORY: str, Kind.TAGS: list | tuple, Kind.FLAG: bool}
    return isinstance(value, types[kind])
