"""Probes and the scrape: /livez, /readyz, their aliases, /metrics."""

import asyncio

import orjson
from fastapi import APIRouter, Response

from service.api.answers import ProblemAnswer, ReadyAnswer
from service.api.parts import Access
from service.api.problems import MEDIA_TYPE, TYPE_PREFIX, headers_of, problem_of
from service.errors import NotReady
from service.monitoring.declarations import LAYOUT
from service.monitoring.exposition import CONTENT_TYPE, render

SERVICE_UNAVAILABLE = 503


def health_routes(access: Access) -> APIRouter:
    """The routes; the aliases are not documented twice."""
    router = APIRouter(tags=["probes"])

    async def live() -> dict[str, str]:
        """The process answers. Nothing else is looked at: Redis being down is no reason to die."""
        return {"status": "alive"}

    async def ready() -> Response:
        """A release is live. The state of Redis is told and never changes the status."""
        return _ready(access)

    async def metrics() -> Response:
        """Everything that is counted, in Prometheus text format."""
        contents = access.parts.metrics.contents()
        text = await asyncio.to_thread(render, LAYOUT, contents)  # slow, and requests go on
        return Response(text, headers={"content-type": CONTENT_TYPE})

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


def _ready(access: Access) -> Response:
    redis = "up" if access.parts.redis.is_up else "down"
    if access.is_leaving:
        return _not_ready(NotReady("the service is being stopped"), redis)
    try:
        release = access.parts.releases.live
    except NotReady as error:
        return _not_ready(error, redis)
    found = access.parts.watch.found
    answer = {
        "status": "ready",
        "release": release.name,
        "redis": redis,
        "probed_at_s": found and found.at_s,
        "mismatch": found and found.failure,
    }
    return Response(orjson.dumps(answer), media_type="application/json")


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
