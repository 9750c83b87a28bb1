"""PUT /v1/users/{user_id}/interests and DELETE /v1/users/{user_id}."""

import orjson

from service.api.answer import OK
from service.api.convert import check_ids
from service.api.endpoint import Endpoint
from service.api.exchange import JSON, Exchange, Scope
from service.api.parse import parse_body, path_end, validate
from service.api.people_schemas import InterestsBody, UserPath
from service.api.problems import InvalidFields
from service.wiring.parts import Parts

PREFIX = "/v1/users/"
SUFFIX = "/interests"
PATH = "/v1/users/{user_id}"
PATH_OF_INTERESTS = PATH + SUFFIX


class PutInterests(Endpoint):
    """The ASGI endpoint."""

    route = PATH_OF_INTERESTS

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
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


class ForgetUser(Endpoint):
    """The ASGI endpoint."""

    route = PATH

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
        user_id = validate(UserPath, {"user_id": path_end(scope, PREFIX, "user_id")}).user_id
        check_ids(parts.settings.limits, user_id)
        exchange.time_left_ms(parts.settings.redis.write_timeout_ms)  # refuses an expired call
        n_ids = await parts.people.forget(user_id)
        await exchange.answer(OK, orjson.dumps({"user_id": user_id, "ids_forgotten": n_ids}), JSON)
