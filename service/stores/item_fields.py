"""How what is said of items is written in Redis, and read back from any writer."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from service.domain.items import ItemUpdate, NewItem, Value

STOCK, PRICE, BLOCKED, ITEM = "stock", "price", "blocked", "item"
ATTRIBUTE = "attribute"
SAID_OF = (STOCK, PRICE, BLOCKED)
"""What may be said of an item before it arrives; its attributes it brings itself."""
BETWEEN = "\x1f"
"""Between the id of an item and the name of its attribute; neither holds control characters."""

Pairs = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Understood:
    """The updates in some fields, and how many fields nobody understands."""

    updates: tuple[ItemUpdate, ...]
    n_unreadable: int


def fields_of(update: ItemUpdate) -> dict[str, str]:
    """The fields that an update sets, by name: `kind:id`, and behind it which attribute."""
    fields: dict[str, str] = {}
    if update.new is not None:
        fields[f"{ITEM}:{update.item_id}"] = _document(update.new, update.at_s)
    if update.stock is not None:
        fields[f"{STOCK}:{update.item_id}"] = str(update.stock)
    if update.price is not None:
        fields[f"{PRICE}:{update.item_id}"] = f"{update.price!r} {update.at_s!r}"
    if update.is_blocked is not None:
        fields[f"{BLOCKED}:{update.item_id}"] = f"{int(update.is_blocked)} {update.at_s!r}"
    for name, value in update.attributes.items():
        field = f"{ATTRIBUTE}:{update.item_id}{BETWEEN}{name}"
        fields[field] = f"{_json(value)} {update.at_s!r}"
    return fields


def read_fields(pairs: Pairs, at_s: float = 0.0) -> Understood:
    """One update per field that is understood, items first.

    Foreign values that cannot be read: stock counts as sold out and `blocked` as blocked, for
    never may something be offered that perhaps must not be; others are left out.

    Args:
        pairs: names and values.
        at_s: when fields were set that do not say it themselves.
    """
    items: list[ItemUpdate] = []
    said: list[ItemUpdate] = []
    n_unreadable = 0
    for name, value in pairs:
        try:
            kind, _, item_id = name.decode(errors="replace").partition(":")
            update = _READERS[kind](item_id, value, at_s)
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            n_unreadable += 1
            continue
        (said if update.new is None else items).append(update)
    return Understood((*items, *said), n_unreadable)


def _stock(item_id: str, value: bytes, at_s: float) -> ItemUpdate:
    try:
        return ItemUpdate(item_id, at_s, stock=max(0, int(value)))
    except ValueError:
        return ItemUpdate(item_id, at_s, stock=0)


def _price(item_id: str, value: bytes, _at_s: float) -> ItemUpdate:
    price, at_s = map(float, value.split(b" "))
    if not (0.0 <= price < math.inf and math.isfinite(at_s)):
        raise ValueError("no price, or no moment")
    return ItemUpdate(item_id, at_s, price=price)


def _blocked(item_id: str, value: bytes, _at_s: float) -> ItemUpdate:
    try:
        word, at_s = value.split(b" ")
        return ItemUpdate(item_id, float(at_s), is_blocked=word != b"0")
    except ValueError:
        return ItemUpdate(item_id, 0.0, is_blocked=True)


def _attribute(of: str, value: bytes, _at_s: float) -> ItemUpdate:
    item_id, _, name = of.partition(BETWEEN)
    document, _, moment = value.rpartition(b" ")
    at_s = float(moment)
    if not (item_id and name and math.isfinite(at_s)):
        raise ValueError("no item, no attribute, or no moment")
    return ItemUpdate(item_id, at_s, attributes={name: _value(json.loads(document))})


def _item(item_id: str, value: bytes, _at_s: float) -> ItemUpdate:
    document: dict[str, Any] = json.loads(value)
    at_s = float(document.pop("at_s"))
    price = document.pop("price", None)
    vector = tuple(float(number) for number in document.pop("vector", ()))
    attributes = {name: _value(its) for name, its in document.pop("attributes", {}).items()}
    new = NewItem(
        **document,
        price=None if price is None else float(price),
        attributes=attributes,
        vector=vector,
    )
    words = (new.title, new.category, new.seller, new.embedding_version)
    if not item_id or not all(isinstance(word, str) for word in words):
        raise TypeError("a title, a category, a seller or a version that is no text")
    return ItemUpdate(item_id, at_s, new=new)


def _value(its: object) -> Value:
    if isinstance(its, list):
        return tuple(_word(str(one)) for one in its)
    if isinstance(its, str):
        return _word(its)
    if isinstance(its, bool):
        return its
    if isinstance(its, int | float):
        return float(its)
    raise TypeError("neither words nor a number nor a flag")


def _word(word: str) -> str:
    word.encode()  # half a character, which JSON can hold, is a UnicodeError
    return word


_READERS: Mapping[str, Callable[[str, bytes, float], ItemUpdate]] = {
    STOCK: _stock,
    PRICE: _price,
    BLOCKED: _blocked,
    ATTRIBUTE: _attribute,
    ITEM: _item,
}


def _document(new: NewItem, at_s: float) -> str:
    """JSON without what is unknown."""
    known = {name: its for name, its in asdict(new).items() if its not in ((), {}, "", None)}
    return _json({**known, "at_s": at_s})


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
