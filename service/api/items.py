"""PATCH /v1/items/{item_id}: what can be bought, changed at once."""

import orjson

from service.api.answer import OK
from service.api.exchange import JSON, SCOPE_KEY, Exchange, Receive, Scope, Send
from service.api.parse import parse_body, path_end, validate
from service.api.parts import Access
from service.api.schemas import ItemPatch, ItemPath

PATH = "/v1/items/{item_id}"
PREFIX = "/v1/items/"


class PatchItem:
    """The ASGI endpoint."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.route = PATH
        parts = self._access.parts
        item_id = validate(ItemPath, {"item_id": path_end(scope, PREFIX, "item_id")}).item_id
        patch = parse_body(ItemPatch, await exchange.body(parts.settings.limits.body_bytes))
        exchange.time_left_ms(parts.settings.redis.write_timeout_ms)  # refuses an expired call
        is_known = parts.releases.live.catalogue.row_of(item_id) >= 0
        await parts.ingest.set_stock({item_id: patch.stock})
        answer = {"item_id": item_id, "stock": patch.stock, "is_known": is_known}
        await exchange.answer(OK, orjson.dumps(answer), JSON)
