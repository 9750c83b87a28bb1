"""From bytes to validated values, with errors that name the field."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from pydantic import BaseModel, ValidationError

from service.api.exchange import Scope
from service.api.problems import InvalidFields, MalformedBody

BodyType = TypeVar("BodyType", bound=BaseModel)
ROOT = "body"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
"""The standard decoder: as fast as others on small bodies, and it sees keys that occur twice."""


def decode_json(body: bytes) -> object:
    """The JSON value.

    Raises:
        MalformedBody: not UTF-8, not JSON, NaN or Infinity, a key twice, nested too deeply.
    """
    try:
        return _DECODER.decode(body.decode())
    except RecursionError:
        raise MalformedBody("nested too deeply") from None
    except ValueError as error:  # JSON and UTF-8 errors, and numbers of thousands of digits
        raise MalformedBody(str(error)) from None


def validate(model: type[BodyType], value: object) -> BodyType:
    """The value as a model.

    Raises:
        InvalidFields: names every field that is wrong.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidFields(field_errors(error)) from None


def parse_body(model: type[BodyType], body: bytes) -> BodyType:
    """Decodes and validates.

    Raises:
        MalformedBody: see `decode_json`.
        InvalidFields: see `validate`.
    """
    return validate(model, decode_json(body))


def path_end(scope: Scope, prefix: str, field: str) -> str:
    """What follows `prefix` in the path as it was sent: %2F is part of an id, bad UTF-8 is not.

    Raises:
        InvalidFields: the id is not UTF-8.
    """
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    try:
        return unquote_to_bytes(raw.split(b"?", 1)[0][len(prefix) :]).decode()
    except UnicodeDecodeError:
        raise InvalidFields([(field, "must be UTF-8")]) from None


def parse_query(query_string: bytes, path: Mapping[str, str]) -> dict[str, str]:
    """Query parameters together with those of the path, each once.

    Raises:
        InvalidFields: not UTF-8, or a parameter occurs twice.
    """
    try:
        pairs = parse_qsl(
            query_string.decode(), keep_blank_values=True, errors="strict", max_num_fields=50
        )
    except ValueError as error:
        raise InvalidFields([("query", str(error))]) from None
    found = dict(path)
    for name, value in pairs:
        if name in found:
            raise InvalidFields([(name, "occurs twice")])
        found[name] = value
    return found


def field_errors(error: ValidationError) -> list[tuple[str, str]]:
    """(dotted path, what is wrong) pairs."""
    return [
        (
            ".".join(map(str, problem["loc"])) or ROOT,
            "unknown field" if problem["type"] == "extra_forbidden" else problem["msg"],
        )
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    ]
