"""Whatever is said of items, in whatever portions, everybody comes to know the same."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.items import ItemUpdate, NewItem
from service.items import Items
from tests.fake_memories import CountedItems
from tests.fakes import FakeItems
from tests.service.catalogue.told import BUILT_AT_S, EARLIER_S, LAMP, LATER_S, Shop

SAYINGS = [
    ItemUpdate(item_id, 0.0, **said)  # type: ignore[arg-type]
    for item_id in ("i0", "i1", "n-0", "n-1")
    for said in (
        {"stock": 0},
        {"stock": 2},
        {"price": 2.5},
        {"price": 9.0, "stock": 1},
        {"is_blocked": True},
        {"is_blocked": False},
        {"attributes": {"category": "toys", "is_vegan": True}},
        {"attributes": {"category": "books", "tags": ("red",)}},
        {"new": LAMP},
        {"new": LAMP, "stock": 0},
        {"new": replace(LAMP, attributes={"is_vegan": True}), "attributes": {"tags": ("red",)}},
        {"new": replace(LAMP, price=3.5), "price": 3.5},
        {"new": replace(LAMP, title="another", price=None), "is_blocked": True},
    )
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.lists(st.sampled_from(SAYINGS), max_size=4))))
async def test_who_was_told_bit_by_bit_knows_what_a_newcomer_is_told(
    rounds: list[tuple[int, list[ItemUpdate]]],
) -> None:
    """Two processes tell each other, each applying its own words at once; a third starts last."""
    store, now_s = FakeItems(keeps=3), BUILT_AT_S
    shops = [Shop(), Shop(), Shop()]
    first, second, newcomer = (
        Items(store, Held(shop), lambda: 0.0, CountedItems()) for shop in shops
    )
    for who, words in rounds:
        now_s += 1.0
        said = [replace(word, at_s=now_s) for word in words]
        if who < 2:
            await (first, second)[who].update(said)
        else:
            await first.catch_up()
    for items in (first, second, newcomer):
        await items.catch_up()
        await items.catch_up()
    for item_id in ("i0", "i1", "n-0", "n-1"):
        states = [shop.state(item_id) for shop in shops]
        np.testing.assert_equal(states[0], states[2])
        np.testing.assert_equal(states[1], states[2])
        if states[2] is not None:
            passed = [shop.passed(item_id) for shop in shops]
            assert passed[0] == passed[1] == passed[2]


class Held:
    """`service.ports.serving.Releases` with one release, of which only the updates are used."""

    def __init__(self, shop: Shop) -> None:
        self.live = cast(Any, shop)


IDS = st.sampled_from(["i0", "i1", "n-0", "n-1", "n-2"])
SAID = st.builds(
    ItemUpdate,
    item_id=IDS,
    at_s=st.sampled_from([EARLIER_S, LATER_S]),
    stock=st.none() | st.integers(0, 2),
    price=st.none() | st.sampled_from([1.0, 2.5, 9.0]),
    is_blocked=st.none() | st.booleans(),
    attributes=st.sampled_from(
        [{}, {"category": "toys"}, {"category": "books", "is_vegan": True}, {"tags": ("red",)}]
    ),
    new=st.none()
    | st.sampled_from(
        [
            *(LAMP, replace(LAMP, price=2.5), replace(LAMP, title="other", price=None)),
            replace(LAMP, seller="anna", attributes={"is_vegan": True}),
        ]
    ),
)


class Oracle:
    """The same in plain words: one dict per item."""

    def __init__(self) -> None:
        self.items = {
            one: {"since": BUILT_AT_S, "stock": True, "price": 1.0, "blocked": False, "new": None}
            | {"known": {"category": category, "is_vegan": is_vegan}}
            for one, category, is_vegan in (("i0", "books", False), ("i1", "toys", True))
        }

    def tell(self, update: ItemUpdate) -> None:
        if update.new is not None:
            self._arrive(update, update.new)
        its = self.items.get(update.item_id)
        if its is None:
            return
        is_newer = update.at_s >= its["since"]  # type: ignore[operator]
        if update.stock is not None:
            its["stock"] = update.stock > 0
        if update.price is not None and is_newer:
            its["price"] = update.price
        if is_newer:
            its["known"] |= update.attributes  # type: ignore[operator]
        is_new = its["new"] is not None
        if update.is_blocked is not None and (update.is_blocked or is_newer or is_new):
            its["blocked"] = update.is_blocked

    def _arrive(self, update: ItemUpdate, new: NewItem) -> None:
        its = self.items.setdefault(update.item_id, {"stock": True, "blocked": False, "new": None})
        if not update.item_id.startswith("i"):
            known = {"category": new.category, "seller": new.seller, **new.attributes}
            its |= {"new": new, "since": update.at_s, "price": new.price, "known": known}

    def passed(self, item_id: str) -> list[str]:
        """As `Shop.passed` says it."""
        its = self.items[item_id]
        known: dict[str, object] = its["known"]  # type: ignore[assignment]
        answers = {
            "toys": known["category"] == "toys",
            "anna": known.get("seller") == "anna",
            "red": "red" in known.get("tags", ()),  # type: ignore[operator]
            "vegan": known.get("is_vegan") is True,
            "cheap": its["price"] is not None and its["price"] <= 2.0,  # type: ignore[operator]
        }
        return [name for name, is_met in answers.items() if is_met]


@settings(deadline=None)
@given(st.lists(SAID, max_size=12), st.integers(1, 4))
def test_any_updates_in_any_portions_are_what_plain_words_say(
    said: list[ItemUpdate], portion: int
) -> None:
    shop, oracle = Shop(), Oracle()
    for start in range(0, len(said), portion):
        shop.updates.apply(said[start : start + portion])
    for update in said:
        oracle.tell(update)
    for item_id in ("i0", "i1", "n-0", "n-1", "n-2"):
        its = oracle.items.get(item_id)
        found = shop.state(item_id)
        if its is None:
            assert found is None
            continue
        price = np.nan if its["price"] is None else its["price"]
        assert found is not None
        np.testing.assert_equal(found, (its["stock"], price, its["blocked"]))
        assert shop.passed(item_id) == oracle.passed(item_id)
