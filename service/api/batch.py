"""POST /v1/recommend/batch: candidates for several people in one call."""

import asyncio
from dataclasses import dataclass

from service.api.answer import OK, counted
from service.api.convert import recommend_request
from service.api.encode import encode_answer
from service.api.endpoint import Endpoint
from service.api.exchange import JSON, Exchange, Scope
from service.api.parse import parse_body
from service.api.problems import InvalidFields
from service.api.scenarios import scenario_of
from service.api.schemas import BatchBody, RecommendBody
from service.domain.requests import Request
from service.domain.traces import Trace
from service.pipeline import Pipeline
from service.wiring.parts import Parts

PATH = "/v1/recommend/batch"
AT_ONCE = 4
"""Lists made together; then other callers have their turn, so that a batch delays nobody."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request of the batch, checked, and who answers it."""

    request: Request
    pipeline: Pipeline


class RecommendBatch(Endpoint):
    """The ASGI endpoint: all requests are valid, or none is answered."""

    route = PATH

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
        limits = parts.settings.limits
        bodies = parse_body(BatchBody, await exchange.body(limits.events_body_bytes)).requests
        if len(bodies) > limits.batch_max:
            raise InvalidFields([("requests", f"at most {limits.batch_max} here")])
        asked = [_read(place, body, exchange, parts) for place, body in enumerate(bodies)]
        answers: list[bytes] = []
        for start in range(0, len(asked), AT_ONCE):
            group = asked[start : start + AT_ONCE]
            answers += await asyncio.gather(*(_answer(one, exchange, parts) for one in group))
            await asyncio.sleep(0)
        await exchange.answer(OK, b'{"answers":[' + b",".join(answers) + b"]}", JSON)


def _read(place: int, body: RecommendBody, exchange: Exchange, parts: Parts) -> _Asked:
    try:
        scenario = scenario_of(parts, body.scenario)
        left_ms = exchange.time_left_ms(body.timeout_ms or scenario.settings.timeout_ms)
        request = recommend_request(
            body, parts.settings.limits, parts.releases, left_ms, parts.clock()
        )
    except InvalidFields as error:
        raise InvalidFields(
            [(f"requests.{place}.{field}", detail) for field, detail in error.errors]
        ) from None
    return _Asked(request, scenario.pipeline)


async def _answer(one: _Asked, exchange: Exchange, parts: Parts) -> bytes:
    trace = Trace(exchange.request_id)
    release = parts.releases.live
    answer = await one.pipeline.recommend(one.request, trace)
    with trace.stage("encode"):
        body = encode_answer(answer, trace, one.request.explain)
    counted(parts, one.request, trace, answer, release)
    return body
