"""The OpenAPI document: what FastAPI knows, and the plain ASGI routes described beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from service.api import batch, events, identities, items, people, recommend, releases, similar
from service.api.answers import (
    BatchAnswer,
    EventsAnswer,
    ForgetAnswer,
    InterestsAnswer,
    ItemAnswer,
    LinkAnswer,
    ListAnswer,
    NewItemsAnswer,
    ProblemAnswer,
)
from service.api.item_schemas import ItemPatch, NewItemsBody
from service.api.people_schemas import InterestsBody, LinkBody
from service.api.problems import PROBLEMS
from service.api.release_schemas import ActivateBody, ReleaseAnswer, ReleasesAnswer, ShadowAnswer
from service.api.schemas import (
    BatchBody,
    EventsBody,
    RecommendBody,
    RecommendQuery,
    SimilarBody,
)

REF = "#/components/schemas/{model}"
DESCRIPTION = """Candidates for people, items like items, events in.

Every error is an `application/problem+json` document (RFC 9457) that names the field. Send
`X-Request-ID` to find a request again, and `X-Request-Timeout-Ms` to say how long you still wait.
"""
Refs = Mapping[Any, dict[str, Any]]
"""Schema references by model."""
BODY_ERRORS = (400, 408, 413, 414, 415, 422, 431, 503)
QUERY_ERRORS = (414, 422, 431, 503)
EVENTS_ERRORS = (*BODY_ERRORS[:6], 429, *BODY_ERRORS[6:])
LINK_ERRORS = (400, 408, 409, *BODY_ERRORS[2:])
ACTION_ERRORS = (400, 401, 403, 408, 409, *BODY_ERRORS[2:])


@dataclass(frozen=True, slots=True)
class Operation:
    """A plain route as documented."""

    path: str
    method: str
    summary: str
    tag: str
    answer: type[BaseModel]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    errors: tuple[int, ...] = BODY_ERRORS
    is_locked: bool = False
    """Whether it needs a token; then its body may be left out."""


OPERATIONS = (
    Operation(
        *(recommend.PATH, "post", "Candidates for a person", "lists", ListAnswer, RecommendBody)
    ),
    Operation(
        *(recommend.PATH_OF_USER, "get", "Candidates for a person, by query", "lists"),
        answer=ListAnswer,
        query=RecommendQuery,
        errors=QUERY_ERRORS,
    ),
    Operation(
        *(batch.PATH, "post", "Candidates for several people", "lists", BatchAnswer, BatchBody)
    ),
    Operation(*(similar.PATH, "post", "Items like an item", "lists", ListAnswer, SimilarBody)),
    Operation(
        *(events.PATH, "post", "Store events", "events", EventsAnswer, EventsBody),
        errors=EVENTS_ERRORS,
    ),
    Operation(*(items.PATH, "post", "Tell of new items", "items", NewItemsAnswer, NewItemsBody)),
    Operation(*(items.PATH_OF_ITEM, "patch", "Change an item", "items", ItemAnswer, ItemPatch)),
    Operation(
        *(people.PATH_OF_INTERESTS, "put", "Declare interests", "people", InterestsAnswer),
        body=InterestsBody,
    ),
    Operation(
        *(people.PATH, "delete", "Forget a person", "people", ForgetAnswer), errors=QUERY_ERRORS
    ),
    Operation(
        *(identities.PATH, "post", "Make ids one person", "people", LinkAnswer, LinkBody),
        errors=LINK_ERRORS,
    ),
    Operation(
        *(identities.PATH, "delete", "Take them apart again", "people", LinkAnswer, LinkBody)
    ),
    Operation(
        *(releases.PATH, "get", "Releases, their states and history", "releases", ReleasesAnswer),
        errors=QUERY_ERRORS,
    ),
    Operation(
        *(releases.documented(releases.SHADOW), "get", "What a staged release would have answered"),
        *("releases", ShadowAnswer),
        errors=(404, *QUERY_ERRORS),
    ),
    *(
        Operation(
            *(releases.documented(ending), "post", summary, "releases", ReleaseAnswer, body),
            errors=ACTION_ERRORS,
            is_locked=True,
        )
        for ending, summary, body in (
            (releases.LOAD, "Verify a release and keep it ready", None),
            (releases.ACTIVATE, "Make a release live", ActivateBody),
            (releases.ROLLBACK, "Take this release out, for the previous one", None),
        )
    ),
)


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """The whole document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes
        )
        refs, schemas = _schemas()
        document["components"] = {
            "schemas": {**document.get("components", {}).get("schemas", {}), **schemas},
            "securitySchemes": {"admin": {"type": "http", "scheme": "bearer"}},
        }
        for operation in OPERATIONS:
            entry = document["paths"].setdefault(operation.path, {})
            entry[operation.method] = _described(operation, refs, schemas)
        app.openapi_schema = document
    return app.openapi_schema


def _schemas() -> tuple[Refs, dict[str, Any]]:
    """References by model, and the definitions they point to."""
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ProblemAnswer, "serialization")]
    for operation in OPERATIONS:
        modes.append((operation.answer, "serialization"))
        modes += [(body, "validation") for body in (operation.body,) if body is not None]
    refs, definitions = models_json_schema(modes, ref_template=REF)
    return {model: ref for (model, _), ref in refs.items()}, definitions.get("$defs", {})


def _described(
    operation: Operation,
    refs: Refs,
    schemas: Mapping[str, Any],
) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "operationId": f"{operation.method}_{operation.path.strip('/').replace('/', '_')}",
        "parameters": _parameters(operation),
        "responses": {
            "200": {"description": "Done", "content": _content(refs[operation.answer])},
            **{str(status): _problem(status, refs) for status in operation.errors},
        },
    }
    if operation.body is not None:
        examples = schemas[operation.body.__name__].get("examples", [])
        described["requestBody"] = {
            "required": not operation.is_locked,
            "content": _content(refs[operation.body], examples),
        }
    if operation.is_locked:
        described["security"] = [{"admin": []}]
    return described


def _content(ref: dict[str, Any], examples: list[Any] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": ref}
    if examples:
        content["examples"] = {f"example {i}": {"value": v} for i, v in enumerate(examples, 1)}
    return {"application/json": content}


def _problem(status: int, refs: Refs) -> dict[str, Any]:
    problems = [problem for problem in PROBLEMS.values() if problem.status == status]
    titles = dict.fromkeys(problem.title for problem in problems)
    described: dict[str, Any] = {
        "description": "; or: ".join(titles),
        "content": {"application/problem+json": {"schema": refs[ProblemAnswer]}},
    }
    if any(problem.retry_after_s for problem in problems):
        described["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    """Path and query parameters, and the headers that every plain route reads."""
    parameters: list[dict[str, Any]] = []
    schema = operation.query.model_json_schema() if operation.query else {"properties": {}}
    in_path = operation.path.partition("{")[2].partition("}")[0]
    if in_path and in_path not in schema["properties"]:
        parameters.append(_parameter(in_path, "path", {"type": "string"}))
    for name, its in schema["properties"].items():
        parameters.append(_parameter(name, "path" if name == in_path else "query", its))
    for name in ("X-Request-ID", "X-Request-Timeout-Ms"):
        parameters.append(_parameter(name, "header", {"type": "string"}))
    return parameters


def _parameter(name: str, place: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": dict(schema)}
