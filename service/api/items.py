"""POST /v1/items and PATCH /v1/items/{item_id}: new items, and what changes about known ones."""

from collections.abc import Iterator, Mapping

import orjson

from service.api.answer import OK
from service.api.convert import check_ids
from service.api.endpoint import Endpoint
from service.api.exchange import JSON, Exchange, Scope
from service.api.item_schemas import Attributes, ItemPatch, ItemPath, NewItemBody, NewItemsBody
from service.api.parse import parse_body, path_end, validate
from service.api.problems import InvalidFields
from service.domain.attributes import is_of_kind
from service.domain.items import ItemUpdate, NewItem, Value
from service.ports.serving import Attribute, Release
from service.wiring.parts import Parts

PATH = "/v1/items"
PATH_OF_ITEM = "/v1/items/{item_id}"
PREFIX = "/v1/items/"


class PatchItem(Endpoint):
    """The ASGI endpoint of one item."""

    route = PATH_OF_ITEM

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
        limits = parts.settings.limits
        item_id = validate(ItemPath, {"item_id": path_end(scope, PREFIX, "item_id")}).item_id
        patch = parse_body(ItemPatch, await exchange.body(limits.body_bytes))
        known = parts.releases.live.catalogue
        if faults := [*_unfit(patch, known.attributes, "attributes")]:
            raise InvalidFields(faults)
        exchange.time_left_ms(parts.settings.redis.write_timeout_ms)  # refuses an expired call
        said = patch.model_dump(exclude_unset=True)
        answer = {"item_id": item_id, **said, "is_known": known.row_of(item_id) >= 0}
        told = {**said, "attributes": _values(patch.attributes)}
        await parts.items.update([ItemUpdate(item_id, parts.clock(), **told)])
        await exchange.answer(OK, orjson.dumps(answer), JSON)


class PostItems(Endpoint):
    """The ASGI endpoint of new items."""

    route = PATH

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
        limits = parts.settings.limits
        body = parse_body(NewItemsBody, await exchange.body(limits.events_body_bytes))
        live = parts.releases.live
        _check(body, live)
        check_ids(limits, *(item.item_id for item in body.items))
        exchange.time_left_ms(parts.settings.redis.write_timeout_ms)  # refuses an expired call
        now_s = parts.clock()
        await parts.items.update([_update(item, now_s) for item in body.items])
        known = live.catalogue
        answer = [
            {"item_id": one.item_id, "is_retrievable": known.row_of(one.item_id) >= 0}
            for one in body.items
        ]
        await exchange.answer(OK, orjson.dumps({"items": answer}), JSON)


def _check(body: NewItemsBody, live: Release) -> None:
    """Refuses an id that occurs twice, and a vector that claims to fit and does not."""
    faults, known = [], set()
    declared = live.catalogue.attributes
    for place, item in enumerate(body.items):
        if item.item_id in known:
            faults.append((f"items.{place}.item_id", "occurs twice"))
        known.add(item.item_id)
        is_ours = item.embedding_version == live.embedding_version
        if is_ours and item.vector is not None and len(item.vector) != live.dim:
            faults.append((f"items.{place}.vector", f"{live.embedding_version} has {live.dim}"))
        faults += _unfit(item, declared, f"items.{place}.attributes")
    if faults:
        raise InvalidFields(faults)


def _unfit(
    body: ItemPatch | NewItemBody, declared: Mapping[str, Attribute], at: str
) -> Iterator[tuple[str, str]]:
    """What is wrong with attributes; new items may bring those that only later releases declare."""
    own = type(body).model_fields.keys()
    for name, value in body.attributes.items():
        if name in own:
            yield f"{at}.{name}", "is a field of its own"
        elif name not in declared and isinstance(body, ItemPatch):
            every = ", ".join(sorted(declared.keys() - own))
            yield f"{at}.{name}", f"unknown attribute; declared are {every}"
        elif name in declared and not is_of_kind(declared[name].kind, value):
            yield f"{at}.{name}", f"must be of the kind {declared[name].kind}"


def _values(attributes: Attributes) -> dict[str, Value]:
    return {n: tuple(its) if isinstance(its, list) else its for n, its in attributes.items()}


def _update(body: NewItemBody, now_s: float) -> ItemUpdate:
    new = NewItem(
        title=body.title,
        category=body.category,
        seller=body.seller,
        price=body.price,
        attributes=_values(body.attributes),
        vector=tuple(body.vector or ()),
        embedding_version=body.embedding_version or "",
    )
    said = body.model_dump(include={"stock", "price", "is_blocked"})
    return ItemUpdate(body.item_id, now_s, **said, new=new)
