"""POST /v1/recommend and GET /v1/recommend/{user_id}: candidates for a person."""

from service.api.answer import counted, new_trace, send_list
from service.api.convert import query_request, recommend_request
from service.api.exchange import SCOPE_KEY, Exchange, Receive, Scope, Send
from service.api.parse import parse_body, parse_query, path_end, validate
from service.api.parts import Access
from service.api.scenarios import scenario_of
from service.api.schemas import RecommendBody, RecommendQuery
from service.domain.requests import Request
from service.domain.traces import Trace
from service.scenarios import Scenario
from service.wiring import Parts

PATH = "/v1/recommend"
PATH_OF_USER = "/v1/recommend/{user_id}"


class Recommend:
    """The ASGI endpoint of POST."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.route = PATH
        parts = self._access.parts
        settings, trace = parts.settings, new_trace(exchange)
        data = await exchange.body(settings.limits.body_bytes)
        with trace.stage("parse"):
            body = parse_body(RecommendBody, data)
            scenario = scenario_of(parts, body.scenario)
            left_ms = exchange.time_left_ms(body.timeout_ms or scenario.settings.timeout_ms)
            request = recommend_request(
                body, settings.limits, parts.releases, left_ms, parts.clock()
            )
        await _answer(exchange, parts, scenario, request, trace)


class RecommendUser:
    """The ASGI endpoint of GET."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange: Exchange = scope[SCOPE_KEY]
        exchange.route = PATH_OF_USER
        parts = self._access.parts
        settings, trace = parts.settings, new_trace(exchange)
        with trace.stage("parse"):
            named = {"user_id": path_end(scope, f"{PATH}/", "user_id")}
            query = validate(RecommendQuery, parse_query(scope["query_string"], named))
            scenario = scenario_of(parts, query.scenario)
            left_ms = exchange.time_left_ms(query.timeout_ms or scenario.settings.timeout_ms)
            request = query_request(query, settings.limits, left_ms)
        await _answer(exchange, parts, scenario, request, trace)


async def _answer(
    exchange: Exchange, parts: Parts, scenario: Scenario, request: Request, trace: Trace
) -> None:
    release = parts.releases.live
    answer = await scenario.pipeline.recommend(request, trace)
    await send_list(exchange, trace, answer, request.explain)
    counted(parts, request, trace, answer, release)
