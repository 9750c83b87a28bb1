"""What every item store does, whatever it is made of."""

from service.domain.items import ItemUpdate, NewItem
from service.ports.stores import ItemStore

AT_S = 1_700_000_000.25
LAMP = NewItem(
    title="größte Lampe",
    category="garden",
    seller="anna",
    price=12.5,
    attributes={"brand": "lux", "colours": ("red", "green"), "watts": 40.0, "is_vegan": True},
    vector=(0.6, -0.8),
    embedding_version="v1",
)


def stock(item_id: str, units: int) -> ItemUpdate:
    return ItemUpdate(item_id, AT_S, stock=units)


def said(updates: tuple[ItemUpdate, ...]) -> dict[tuple[str, str], object]:
    """The last word about everything, by item and by what it is about."""
    return {
        (one.item_id, name): value
        for one in updates
        for name in ("new", "stock", "price", "is_blocked")
        if (value := getattr(one, name)) is not None
    } | {(one.item_id, name): value for one in updates for name, value in one.attributes.items()}


class ItemStoreContract:
    async def test_nothing_was_ever_said(self, items: ItemStore) -> None:
        changes = await items.read_all()
        assert changes.updates == ()
        assert (await items.read_since(changes.position)).updates == ()

    async def test_all_that_is_said_is_read_and_the_last_word_counts(
        self, items: ItemStore
    ) -> None:
        await items.write([stock("hat", 3), stock("größe: 7", 0)])
        await items.write([ItemUpdate("hat", AT_S, stock=0, price=2.5, is_blocked=True)])
        await items.write([ItemUpdate("lamp", AT_S, new=LAMP)])
        assert said((await items.read_all()).updates) == {
            ("hat", "stock"): 0,
            ("hat", "price"): 2.5,
            ("hat", "is_blocked"): True,
            ("größe: 7", "stock"): 0,
            ("lamp", "new"): LAMP,
        }

    async def test_attributes_are_kept_one_by_one(self, items: ItemStore) -> None:
        position = (await items.read_all()).position
        first = {"colour": "größe: rot", "watts": 40.0, "tags": ("a b", "c"), "a: b c": True}
        await items.write([ItemUpdate("hat: 7", AT_S, attributes=first)])
        await items.write([ItemUpdate("hat: 7", AT_S + 1, attributes={"watts": 2.5, "tags": ()})])
        for changes in (await items.read_all(), await items.read_since(position)):
            assert said(changes.updates) == {
                ("hat: 7", "colour"): "größe: rot",
                ("hat: 7", "watts"): 2.5,
                ("hat: 7", "tags"): (),
                ("hat: 7", "a: b c"): True,
            }
            at_s = {name: one.at_s for one in changes.updates for name in one.attributes}
            assert at_s == {"colour": AT_S, "a: b c": AT_S, "watts": AT_S + 1, "tags": AT_S + 1}

    async def test_what_is_new_is_read_once_and_in_order(self, items: ItemStore) -> None:
        await items.write([stock("hat", 3)])
        position = (await items.read_all()).position
        await items.write([stock("hat", 2), stock("cup", 1)])
        await items.write([ItemUpdate("hat", AT_S, stock=0, price=1.0)])
        changes = await items.read_since(position)
        words = [
            (one.item_id, field, value)
            for one in changes.updates
            for field, value in (("stock", one.stock), ("price", one.price))
            if value is not None
        ]
        assert words == [
            *[("hat", "stock", 2), ("cup", "stock", 1)],
            *[("hat", "stock", 0), ("hat", "price", 1.0)],
        ]
        assert len(changes.moments) == 3
        assert (await items.read_since(changes.position)).updates == ()

    async def test_moments_are_kept_where_they_count(self, items: ItemStore) -> None:
        await items.write([ItemUpdate("hat", AT_S, price=2.5, is_blocked=False)])
        await items.write([ItemUpdate("lamp", AT_S + 1, new=LAMP)])
        at_s = {one.item_id: one.at_s for one in (await items.read_all()).updates}
        assert at_s == {"hat": AT_S, "lamp": AT_S + 1}

    async def test_what_was_said_of_an_item_before_it_was_new_follows_it(
        self, items: ItemStore
    ) -> None:
        await items.write([ItemUpdate("lamp", AT_S, stock=0, is_blocked=True)])
        position = (await items.read_all()).position
        await items.write([ItemUpdate("lamp", AT_S, new=LAMP)])
        updates = (await items.read_since(position)).updates
        assert updates[0].new == LAMP
        assert said(updates[1:]) == {("lamp", "stock"): 0, ("lamp", "is_blocked"): True}

    async def test_many_items_are_written_and_read_at_once(self, items: ItemStore) -> None:
        position = (await items.read_all()).position
        await items.write([stock(f"i{n}", n) for n in range(2500)])
        wanted = {(f"i{n}", "stock"): n for n in range(2500)}
        assert said((await items.read_all()).updates) == wanted
        read, has_more = [], True
        while has_more:
            changes = await items.read_since(position)
            read += changes.updates
            position, has_more = changes.position, changes.has_more
        assert said(tuple(read)) == wanted
