"""POST /v1/recommend and GET /v1/recommend/{user_id}: candidates for a person."""

from service.api.answer import counted, new_trace, send_list
from service.api.convert import query_request, recommend_request
from service.api.endpoint import Endpoint
from service.api.exchange import Exchange, Scope
from service.api.parse import parse_body, parse_query, path_end, validate
from service.api.scenarios import scenario_of
from service.api.schemas import RecommendBody, RecommendQuery
from service.domain.requests import Request
from service.domain.traces import Trace
from service.wiring.parts import Parts
from service.wiring.read_path import Scenario

PATH = "/v1/recommend"
PATH_OF_USER = "/v1/recommend/{user_id}"


class Recommend(Endpoint):
    """The ASGI endpoint of POST."""

    route = PATH

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
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


class RecommendUser(Endpoint):
    """The ASGI endpoint of GET."""

    route = PATH_OF_USER

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
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
