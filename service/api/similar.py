"""POST /v1/similar: items like an item."""

from service.api.answer import new_trace, send_list
from service.api.convert import similar_request
from service.api.exchange import SCOPE_KEY, Exchange, Receive, Scope, Send
from service.api.parse import parse_body
from service.api.parts import Access
from service.api.schemas import SimilarBody

PATH = "/v1/similar"


class Similar:
    """The ASGI endpoint."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.route = PATH
        parts = self._access.parts
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
