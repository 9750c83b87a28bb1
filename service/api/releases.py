"""GET /v1/releases: what is live, and what was refused and why."""

import orjson
from fastapi import APIRouter, Response

from service.api.answers import ProblemAnswer, ReleasesAnswer
from service.api.parts import Access
from service.ports.serving import Release
from service.releases.manager import ReleaseStatus

PATH = "/v1/releases"


def release_routes(access: Access) -> APIRouter:
    """The route; it only reads."""
    router = APIRouter(tags=["releases"])

    async def releases() -> Response:
        """The releases that this process has met, oldest first."""
        manager = access.parts.releases
        live = manager.live
        known = [_entry(status, live) for status in manager.states.values()]
        answer = {"live": live.name, "releases": known}
        return Response(orjson.dumps(answer), media_type="application/json")

    router.add_api_route(
        PATH,
        releases,
        summary="Releases and their states",
        responses={200: {"model": ReleasesAnswer}, 503: {"model": ProblemAnswer}},
    )
    return router


def _entry(status: ReleaseStatus, live: Release) -> dict[str, object]:
    is_live = status.name == live.name
    return {
        "name": status.name,
        "state": status.state,
        "reason": status.reason or None,
        "embedding_version": live.embedding_version if is_live else None,
        "items": live.catalogue.n_built if is_live else None,
        "trained_through": live.manifest.get("trained_through") if is_live else None,
        "as_of": live.manifest.get("as_of") if is_live else None,
    }
