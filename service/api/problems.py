"""The one table from errors to HTTP: status, type and title; RFC 9457 documents made from it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from service.errors import (
    BadRequest,
    Busy,
    InvalidField,
    NotReady,
    ReleaseRefused,
    ServiceError,
    StoreUnavailable,
)

MEDIA_TYPE = b"application/problem+json"
ERRORS_SHOWN = 20
CHARS_SHOWN = 200
REFUSAL_CHARS_SHOWN = 2000
"""A gate lists every figure that it objects to."""
TYPE_PREFIX = "/problems/"


class MalformedBody(BadRequest):
    """The body is not the JSON object that it should be."""


class InvalidFields(BadRequest):
    """Fields of the request are wrong; `errors` holds (field, detail) pairs."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{field}: {detail}" for field, detail in errors))
        self.errors = tuple(errors)


class NotFound(BadRequest):
    """Nothing lives at this path."""


class MethodNotAllowed(BadRequest):
    """The path exists and does not know the method; `allowed` lists those it knows."""

    def __init__(self, allowed: str) -> None:
        super().__init__(f"allowed here: {allowed}")
        self.allowed = allowed


class BodyTimeout(BadRequest):
    """The body did not arrive in time."""


class BodyTooLarge(BadRequest):
    """The body is above the limit."""


class UriTooLong(BadRequest):
    """Path and query are above the limit."""


class UnsupportedMediaType(BadRequest):
    """The body is not plain JSON."""


class LinkConflict(BadRequest):
    """Ids in these fields are linked to another account, which is not named."""

    def __init__(self, fields: Iterable[str]) -> None:
        super().__init__("unlink there first, or let it be; the other ids of the call are linked")
        self.errors = tuple((field, "is linked to another account") for field in fields)


class RateLimited(BadRequest):
    """All events of the call are beyond what one person may send."""

    def __init__(self) -> None:
        super().__init__("more events of one person than are taken; nothing of this call is stored")


class Unauthorized(BadRequest):
    """The call needs a token, and none that is valid was sent."""


class Forbidden(BadRequest):
    """The service has no token, so the call is closed to everybody."""

    def __init__(self) -> None:
        super().__init__(
            "releases are changed with `sightline release` on the machine itself; to allow it over "
            "HTTP set SIGHTLINE_SERVER__ADMIN_TOKEN or SIGHTLINE_SERVER__ADMIN_TOKEN_FILE"
        )


class HeadersTooLarge(BadRequest):
    """The headers are above the limit."""


class DeadlineExpired(ServiceError):
    """The caller no longer waits; nothing was done."""


class ClientGone(ServiceError):
    """The caller hung up; there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class Problem:
    """How one class of errors is answered.

    Attributes:
        name: last part of the problem's type.
        reason: the word under which metrics count it.
        says: fixed detail where the error's own text is not for callers.
        retry_after_s: after how long the same request may work.
    """

    status: int
    name: str
    title: str
    reason: str
    says: str | None = None
    retry_after_s: int | None = None


INTERNAL = Problem(
    500, "internal", "Internal error", "internal", "This is a defect; please report the request id."
)
PROBLEMS: dict[type[Exception], Problem] = {
    MalformedBody: Problem(400, "malformed-json", "The body is not valid JSON", "malformed"),
    Unauthorized: Problem(401, "unauthorized", "A token is needed", "auth"),
    Forbidden: Problem(403, "forbidden", "Closed on this service", "auth"),
    NotFound: Problem(404, "not-found", "Not found", "not_found"),
    MethodNotAllowed: Problem(405, "method-not-allowed", "Method not allowed", "method"),
    BodyTimeout: Problem(408, "body-timeout", "The body did not arrive in time", "timeout"),
    LinkConflict: Problem(409, "link-conflict", "Linked to another account", "conflict"),
    Busy: Problem(
        *(409, "busy", "Another release is being loaded or activated", "busy"), retry_after_s=5
    ),
    BodyTooLarge: Problem(413, "body-too-large", "The body is too large", "body_size"),
    UriTooLong: Problem(414, "uri-too-long", "Path and query are too long", "uri_size"),
    UnsupportedMediaType: Problem(
        415, "unsupported-media-type", "Only plain application/json is understood", "media_type"
    ),
    InvalidField: Problem(422, "invalid-field", "A field is not valid", "field"),
    InvalidFields: Problem(422, "invalid-field", "A field is not valid", "field"),
    BadRequest: Problem(422, "invalid-request", "The request cannot be answered", "field"),
    ReleaseRefused: Problem(422, "release-refused", "The release may not go live", "refused"),
    RateLimited: Problem(
        429, "rate-limited", "Too many events of one person", "rate", retry_after_s=1
    ),
    HeadersTooLarge: Problem(431, "headers-too-large", "The headers are too large", "header_size"),
    DeadlineExpired: Problem(
        *(503, "deadline-expired", "The deadline passed before the work began", "deadline"),
        retry_after_s=1,
    ),
    NotReady: Problem(
        *(503, "not-ready", "No release is live", "no_release"),
        "The service is starting or has no release yet.",
        retry_after_s=2,
    ),
    StoreUnavailable: Problem(
        *(503, "store-unavailable", "Nothing could be stored", "store"),
        "Nothing is known to be stored; sending the same again is safe.",
        retry_after_s=1,
    ),
    ServiceError: INTERNAL,
    Exception: INTERNAL,
}


def problem_of(error: Exception) -> Problem:
    """The entry of the nearest ancestor."""
    return next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)


def encode_problem(error: Exception, request_id: str) -> bytes:
    """The JSON document for an error; fields named, nothing of the inside shown."""
    problem = problem_of(error)
    document: dict[str, object] = {
        "type": TYPE_PREFIX + problem.name,
        "title": problem.title,
        "status": problem.status,
        "detail": _shown(problem.says or str(error)),
        "instance": f"/requests/{request_id}",
        "request_id": request_id,
    }
    if isinstance(error, ReleaseRefused):
        document |= {"reason": error.reason, "detail": _shown(str(error), REFUSAL_CHARS_SHOWN)}
    errors = _fields(error)
    if errors:
        document["errors"] = [
            {"field": _shown(field), "detail": _shown(detail)} for field, detail in errors
        ]
    return orjson.dumps(document)


def headers_of(error: Exception) -> tuple[tuple[bytes, bytes], ...]:
    """Headers that belong to the answer of an error."""
    retry_after_s = problem_of(error).retry_after_s
    if retry_after_s is not None:
        return ((b"retry-after", str(retry_after_s).encode()),)
    if isinstance(error, Unauthorized):
        return ((b"www-authenticate", b"Bearer"),)
    if isinstance(error, MethodNotAllowed):
        return ((b"allow", error.allowed.encode()),)
    if isinstance(error, BodyTooLarge | BodyTimeout):
        return ((b"connection", b"close"),)  # else the server would read the rest of the body
    return ()


def _fields(error: Exception) -> tuple[tuple[str, str], ...]:
    if isinstance(error, InvalidFields | LinkConflict):
        return error.errors[:ERRORS_SHOWN]
    return ((error.field, error.detail),) if isinstance(error, InvalidField) else ()


def _shown(text: str, chars: int = CHARS_SHOWN) -> str:
    """Cut, and without lone surrogates, which no encoder takes."""
    return text[:chars].encode("utf-8", "replace").decode()
