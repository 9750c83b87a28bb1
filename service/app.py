"""create_app(): the routes, the edge around them, and the life of the parts. No logic."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from service.api import batch, events, identities, items, people, recommend, releases, similar
from service.api.admin import AdminKey
from service.api.edge import Asgi, Edge
from service.api.exchange import SCOPE_KEY
from service.api.health import health_routes
from service.api.openapi import openapi_document
from service.api.parts import Access
from service.api.problems import (
    MEDIA_TYPE,
    MethodNotAllowed,
    NotFound,
    encode_problem,
    headers_of,
    problem_of,
)
from service.api.warm_up import warm_up
from service.monitoring.logs import RequestLog
from service.monitoring.process_metrics import package_version
from service.settings.tree import Settings, load_settings
from service.wiring.parts import Parts, open_parts

METHOD_NOT_ALLOWED = 405


def create_app(settings: Settings | None = None, parts: Parts | None = None) -> Edge:
    """The ASGI application.

    Args:
        settings: read from the environment when absent.
        parts: opened parts, which somebody else closes; opened at start when absent.

    Raises:
        SetupInvalid: the environment holds settings that are wrong.
    """
    settings = settings or (parts.settings if parts else load_settings())
    access = Access()
    app = FastAPI(
        title="Sightline",
        version=package_version("sightline"),
        lifespan=_lifespan(settings, access),
        docs_url="/docs" if settings.server.docs_enabled else None,
        openapi_url="/openapi.json" if settings.server.docs_enabled else None,
        redoc_url=None,
        redirect_slashes=False,
    )
    key = AdminKey([token.get_secret_value() for token in settings.server.admin_tokens()])
    plain = [*_plain_routes(access), *_release_routes(access, key)]
    app.router.routes.extend(plain)
    app.include_router(health_routes(access))
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _answer)
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]
    if parts is not None:
        access.open(parts)
    return Edge(app, _lane(plain), access, RequestLog(settings.server.log_share))


def _plain_routes(access: Access) -> list[Route]:
    """The routes that skip FastAPI: it would cost more than what they do."""
    user = recommend.PATH_OF_USER.replace("}", ":path}")
    item = items.PATH_OF_ITEM.replace("}", ":path}")
    person = people.PATH.replace("}", ":path}")
    interests = people.PATH_OF_INTERESTS.replace("}", ":path}")
    return [
        Route(recommend.PATH, recommend.Recommend(access), methods=["POST"]),
        Route(batch.PATH, batch.RecommendBatch(access), methods=["POST"]),
        Route(events.PATH, events.Events(access), methods=["POST"]),
        Route(similar.PATH, similar.Similar(access), methods=["POST"]),
        Route(user, recommend.RecommendUser(access), methods=["GET"]),
        Route(items.PATH, items.PostItems(access), methods=["POST"]),
        Route(item, items.PatchItem(access), methods=["PATCH"]),
        Route(interests, people.PutInterests(access), methods=["PUT"]),
        Route(person, people.ForgetUser(access), methods=["DELETE"]),
        Route(identities.PATH, identities.Link(access), methods=["POST", "DELETE"]),
    ]


def _release_routes(access: Access, key: AdminKey) -> list[Route]:
    """What is asked of releases, and what is done to them by who holds the key."""
    actions = (releases.Load, releases.Activate, releases.Rollback)
    shadow = releases.documented(releases.SHADOW).replace("}", ":path}")
    return [
        Route(releases.PATH, releases.Releases(access), methods=["GET"]),
        Route(shadow, releases.ShadowReport(access), methods=["GET"]),
        *(
            Route(
                releases.documented(action.ending).replace("}", ":path}"),
                action(access, key),
                methods=["POST"],
            )
            for action in actions
        ),
    ]


def _lane(routes: list[Route]) -> dict[tuple[str, str], Asgi]:
    """The plain routes without parameters, by method and path."""
    return {
        (method, route.path): route.app
        for route in routes
        for method in route.methods or ()
        if not route.param_convertors
    }


def _lifespan(
    settings: Settings, access: Access
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with open_parts(settings) as parts:
            access.open(parts)
            await start(parts)
            yield
            parts.metrics.ready(False)
            access.close()

    return lifespan


async def start(parts: Parts) -> None:
    """Warms up and marks the service ready.

    What lives by then lives for ever: the garbage collector need not look at it again.
    """
    await warm_up(parts)
    parts.metrics.ready(True)
    gc.collect()
    gc.freeze()


async def _of_http(_: Request, error: Exception) -> Response:
    """Errors of the router, in our own words."""
    if isinstance(error, HTTPException) and error.status_code == METHOD_NOT_ALLOWED:
        raise MethodNotAllowed((error.headers or {}).get("Allow", ""))
    raise NotFound("no such path")


async def _answer(request: Request, error: Exception) -> Response:
    """Answers by the table; the edge then sees the error too, and counts it."""
    body = encode_problem(error, request.scope[SCOPE_KEY].request_id)
    headers = {name.decode(): value.decode() for name, value in headers_of(error)}
    return Response(body, problem_of(error).status, headers, media_type=MEDIA_TYPE.decode())
