"""Probes and the scrape: /livez, /readyz, their aliases, /metrics."""

import orjson
from fastapi import APIRouter, Response

from service.api.answers import ProblemAnswer, ReadyAnswer
from service.api.parts import Access
from service.api.problems import MEDIA_TYPE, TYPE_PREFIX, headers_of, problem_of
from service.errors import NotReady
from service.monitoring.metrics import CONTENT_TYPE

SERVICE_UNAVAILABLE = 503


def health_routes(access: Access) -> APIRouter:
    """The routes; the aliases are not documented twice."""
    router = APIRouter(tags=["probes"])

    async def live() -> dict[str, str]:
        """The process answers. Nothing else is looked at: Redis being down is no reason to die."""
        return {"status": "alive"}

    async def ready() -> Response:
        """A release is live. The state of Redis is told and never changes the status."""
        redis = "up" if access.parts.redis.is_up else "down"
        try:
            release = access.parts.releases.live
        except NotReady as error:
            return _not_ready(error, redis)
        answer = {"status": "ready", "release": release.name, "redis": redis}
        return Response(orjson.dumps(answer), media_type="application/json")

    async def metrics() -> Response:
        """Everything that is counted, in Prometheus text format."""
        return Response(access.parts.metrics.render(), headers={"content-type": CONTENT_TYPE})

    told: dict[int | str, dict[str, object]] = {
        200: {"model": ReadyAnswer},
        SERVICE_UNAVAILABLE: {"model": ProblemAnswer},
    }
    router.add_api_route("/livez", live, summary="Is the process alive?")
    router.add_api_route("/readyz", ready, summary="Can it answer?", responses=told)
    for path, endpoint in (
        ("/healthz", live),
        ("/v2/health/live", live),
        ("/v2/health/ready", ready),
    ):
        router.add_api_route(path, endpoint, include_in_schema=False)
    router.add_api_route("/metrics", metrics, summary="Prometheus scrape")
    return router


def _not_ready(error: NotReady, redis: str) -> Response:
    problem = problem_of(error)
    document = {
        "type": TYPE_PREFIX + problem.name,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.says,
        "redis": redis,
    }
    headers = {name.decode(): value.decode() for name, value in headers_of(error)}
    return Response(orjson.dumps(document), problem.status, headers, media_type=MEDIA_TYPE.decode())
