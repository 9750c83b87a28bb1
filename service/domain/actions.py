"""What a person can do to an item, and how much it says."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ActionType(StrEnum):
    """The kinds of action, strongest first; negative ones last."""

    PURCHASE = "purchase"
    ADD_TO_CART = "add_to_cart"
    CLICK = "click"
    VIEW = "view"
    RETURN = "return"
    DISLIKE = "dislike"


ACTIONS: tuple[str, ...] = tuple(ActionType)
"""The vocabulary in its fixed order: a stored or fed action type is a position in it."""

ACTION_CODES: Mapping[str, int] = MappingProxyType({name: i for i, name in enumerate(ACTIONS)})

STRENGTH: Mapping[str, float] = MappingProxyType(
    {"purchase": 1.0, "add_to_cart": 0.7, "click": 0.4, "view": 0.2, "return": 1.0, "dislike": 1.0}
)
"""Relative strength within a sign; the prior for types that the training data lack."""

NEGATIVE: frozenset[str] = frozenset({"return", "dislike"})
"""Actions that speak against an item."""

IMPRESSION = "impression"
"""An event type that marks an item as seen and never becomes an action."""

EVENT_TYPES: tuple[str, ...] = (IMPRESSION, *ACTIONS)
