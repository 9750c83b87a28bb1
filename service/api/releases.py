"""GET /v1/releases and what an operator may do to them: load, activate, roll back."""

import contextlib
import logging
import math
from collections.abc import Iterator
from dataclasses import asdict

import orjson
from pydantic import BaseModel

from service.api.admin import AdminKey
from service.api.answer import OK
from service.api.endpoint import Endpoint
from service.api.exchange import JSON, Exchange, Scope
from service.api.parse import parse_body, path_end
from service.api.parts import Access
from service.api.problems import InvalidFields, NotFound
from service.api.release_schemas import ActivateBody, NoBody
from service.domain.releases import ReleaseStatus
from service.errors import Busy, ReleaseRefused
from service.releases.manifest import is_release_name
from service.wiring.parts import Parts

PATH = "/v1/releases"
PREFIX = f"{PATH}/"
LOAD, ACTIVATE, ROLLBACK, SHADOW = ":load", ":activate", ":rollback", "/shadow"
BODY_BYTES = 4096
FACTS = ("embedding_version", "items", "trained_through", "as_of")
NAME_WRONG = "is no release name: a to z, 0 to 9, . and -, at most 64, no two dots in a row"
OUTCOMES: dict[type[Exception], str] = {ReleaseRefused: "refused", Busy: "busy"}

log = logging.getLogger(__name__)


def documented(ending: str) -> str:
    """The path of a call on one release, as documented and counted."""
    return f"{PREFIX}{{name}}{ending}"


class Releases(Endpoint):
    """The ASGI endpoint of GET /v1/releases; open to all who may ask for lists."""

    route = PATH

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
        overview = await parts.admin.overview()
        answer = {
            "live": overview.live,
            "releases": [_entry(status) for status in overview.releases],
            "history": [asdict(entry) for entry in overview.history],
        }
        await exchange.answer(OK, orjson.dumps(answer), JSON)


class ShadowReport(Endpoint):
    """The ASGI endpoint of GET /v1/releases/{name}/shadow."""

    route = documented(SHADOW)

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
        name = _name(scope, SHADOW)
        report = await parts.shadow.report(name)
        if report is None:
            raise NotFound(
                f"nothing was replayed against {name}: is it staged, and shadow_share set?"
            )
        await exchange.answer(OK, orjson.dumps(report), JSON)


class Action(Endpoint):
    """What the endpoints of the three actions share: the key, the name, the counting."""

    ending: str
    body: type[BaseModel] = NoBody

    def __init__(self, access: Access, key: AdminKey) -> None:
        super().__init__(access)
        self.route = documented(self.ending)
        self._key = key

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
        self._key.check(exchange.headers, parts.metrics)
        name = _name(scope, self.ending)
        options = parse_body(self.body, await exchange.optional_body(BODY_BYTES))
        exchange.time_left_ms(math.inf)  # refuses an expired call
        by = f"http:{(scope.get('client') or ('unknown',))[0]}"
        with _told(parts, self.ending[1:], name, by):
            status = await self.act(parts, name, by, options)
        await exchange.answer(OK, orjson.dumps(_entry(status)), JSON)

    async def act(self, parts: Parts, name: str, by: str, options: BaseModel) -> ReleaseStatus:
        """Does it; returns how the release stands then."""
        raise NotImplementedError


class Load(Action):
    """The ASGI endpoint of POST /v1/releases/{name}:load."""

    ending = LOAD

    async def act(self, parts: Parts, name: str, by: str, options: BaseModel) -> ReleaseStatus:
        return await parts.admin.load(name, by)


class Activate(Action):
    """The ASGI endpoint of POST /v1/releases/{name}:activate."""

    ending = ACTIVATE
    body = ActivateBody

    async def act(self, parts: Parts, name: str, by: str, options: BaseModel) -> ReleaseStatus:
        force = options.force if isinstance(options, ActivateBody) else ""
        return await parts.admin.activate(name, by, force)


class Rollback(Action):
    """The ASGI endpoint of POST /v1/releases/{name}:rollback.

    The name is that of the release that has to go: asking twice cannot bring it back.
    """

    ending = ROLLBACK

    async def act(self, parts: Parts, name: str, by: str, options: BaseModel) -> ReleaseStatus:
        live = (await parts.admin.overview()).live
        if live != name:
            raise InvalidFields([("name", f"is not live ({live or 'nothing'} is): nothing to do")])
        return await parts.admin.rollback(by)


def _name(scope: Scope, ending: str) -> str:
    """The release that the path names; nothing is looked for under any other name.

    Raises:
        InvalidFields: it cannot be the name of a release.
    """
    name = path_end(scope, PREFIX, "name").removesuffix(ending)
    if not is_release_name(name):
        raise InvalidFields([("name", NAME_WRONG)])
    return name


@contextlib.contextmanager
def _told(parts: Parts, action: str, name: str, by: str) -> Iterator[None]:
    """Counts and logs what became of an action."""
    outcome = "done"
    try:
        yield
    except Exception as error:
        outcome = OUTCOMES.get(type(error), "failed")
        raise
    finally:
        parts.metrics.operator.action(action, outcome)
        log.info("%s of release %s, asked by %s: %s", action, name, by, outcome)


def _entry(status: ReleaseStatus) -> dict[str, object]:
    return {
        "name": status.name,
        "state": status.state,
        "reason": status.reason or None,
        "detail": status.detail or None,
        **{name: status.facts.get(name) for name in FACTS},
    }
