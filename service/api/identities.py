"""POST and DELETE /v1/identities/link: which anonymous ids belong to which account."""

import orjson

from service.api.answer import OK
from service.api.convert import check_ids
from service.api.endpoint import Endpoint
from service.api.exchange import JSON, Exchange, Scope
from service.api.parse import parse_body
from service.api.people_schemas import LinkBody
from service.api.problems import LinkConflict
from service.domain.identity import LinkOutcome
from service.wiring.parts import Parts

PATH = "/v1/identities/link"


class Link(Endpoint):
    """The ASGI endpoint of both methods."""

    route = PATH

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
        limits = parts.settings.limits
        body = parse_body(LinkBody, await exchange.body(limits.body_bytes))
        ids = body.ids
        check_ids(limits, body.user_id, *ids)
        exchange.time_left_ms(parts.settings.redis.write_timeout_ms)  # refuses an expired call
        work = parts.people.link if scope["method"] == "POST" else parts.people.unlink
        outcomes = await work(body.user_id, ids)
        for outcome in outcomes:
            parts.metrics.link(outcome)
        named = dict(zip(ids, outcomes, strict=True))
        refused = [one for one, outcome in named.items() if outcome is LinkOutcome.CONFLICT]
        if refused:
            raise LinkConflict(body.field_of(one) for one in refused)
        answer = {"user_id": body.user_id, "outcomes": named}
        await exchange.answer(OK, orjson.dumps(answer), JSON)
