"""POST /v1/similar: items like an item."""

from service.api.answer import new_trace, send_list
from service.api.convert import similar_request
from service.api.endpoint import Endpoint
from service.api.exchange import Exchange, Scope
from service.api.parse import parse_body
from service.api.schemas import SimilarBody
from service.wiring.parts import Parts

PATH = "/v1/similar"


class Similar(Endpoint):
    """The ASGI endpoint."""

    route = PATH

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
        settings, trace = parts.settings, new_trace(exchange)
        data = await exchange.body(settings.limits.body_bytes)
        with trace.stage("parse"):
            body = parse_body(SimilarBody, data)
            left_ms = exchange.time_left_ms(body.timeout_ms or settings.pipeline.timeout_ms)
            request = similar_request(body, settings.limits, parts.releases, left_ms)
        release = parts.releases.live
        answer = await parts.pipeline.similar(request, trace)
        await send_list(exchange, trace, answer, request.explain)
        parts.metrics.listed(trace, answer, release)
