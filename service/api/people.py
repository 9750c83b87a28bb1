"""PUT /v1/users/{user_id}/interests and DELETE /v1/users/{user_id}."""

import orjson

from service.api.answer import OK
from service.api.convert import check_ids
from service.api.exchange import JSON, SCOPE_KEY, Exchange, Receive, Scope, Send
from service.api.parse import parse_body, path_end, validate
from service.api.parts import Access
from service.api.people_schemas import InterestsBody, UserPath
from service.api.problems import InvalidFields

PREFIX = "/v1/users/"
SUFFIX = "/interests"
PATH = "/v1/users/{user_id}"
PATH_OF_INTERESTS = PATH + SUFFIX


class PutInterests:
    """The ASGI endpoint."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.route = PATH_OF_INTERESTS
        parts = self._access.parts
        limits = parts.settings.limits
        named = path_end(scope, PREFIX, "user_id").removesuffix(SUFFIX)
        user_id = validate(UserPath, {"user_id": named}).user_id
        body = parse_body(InterestsBody, await exchange.body(limits.body_bytes))
        check_ids(limits, user_id, *body.item_ids)
        exchange.time_left_ms(parts.settings.redis.write_timeout_ms)  # refuses an expired call
        done = await parts.people.set_interests(
            user_id, body.categories, body.item_ids, parts.releases.live
        )
        if not done.names:
            raise InvalidFields([("categories", "the live release knows none of them")])
        answer = {"user_id": user_id, "interests": done.names, "unknown": done.unknown}
        await exchange.answer(OK, orjson.dumps(answer), JSON)


class ForgetUser:
    """The ASGI endpoint."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.route = PATH
        parts = self._access.parts
        user_id = validate(UserPath, {"user_id": path_end(scope, PREFIX, "user_id")}).user_id
        check_ids(parts.settings.limits, user_id)
        exchange.time_left_ms(parts.settings.redis.write_timeout_ms)  # refuses an expired call
        n_ids = await parts.people.forget(user_id)
        await exchange.answer(OK, orjson.dumps({"user_id": user_id, "ids_forgotten": n_ids}), JSON)
