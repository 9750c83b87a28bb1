"""Reads, without running it, what decides whether an ONNX file may be run at all.

onnxruntime tells neither operators nor where tensors are kept before it has opened both, and the
`onnx` package is no part of serving. Of the protocol buffer format only the nesting is needed:
https://protobuf.dev/programming-guides/encoding/ and onnx.proto3 (field numbers never change).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service.errors import ReleaseRefused

STANDARD_DOMAINS = ("", "ai.onnx")
LOWEST_OPSET, HIGHEST_OPSET = 13, 23
"""13 gave Softmax its present meaning; 23 is the newest that onnxruntime 1.22 runs."""

RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
UNREPEATABLE = frozenset(("Bernoulli", "Multinomial", *RANDOM))
UNBOUNDED = frozenset(("Loop", "Scan", "SequenceMap"))

DEEPEST = 16
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10

CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset", 14: "property", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""Message -> field number -> message: everything below which an operator or a tensor can stand."""

Fields = list[tuple[int, int | memoryview]]


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What a file says of itself.

    Attributes:
        opset: version of the standard operators, 0 where none is named.
        operators: domain and name of every operator used, in whatever nesting.
        properties: `metadata_props`.
        has_functions: it brings definitions of its own.
        has_external_data: a tensor is kept in another file.
    """

    opset: int
    operators: frozenset[tuple[str, str]]
    properties: Mapping[str, str]
    has_functions: bool
    has_external_data: bool


def read_onnx_file(content: bytes) -> OnnxFile:
    """Walk through a model.

    Raises:
        ValueError: the bytes are no protocol buffer message.
    """
    operators, properties, opsets = set(), {}, {}
    has_functions = has_external_data = False
    for kind, fields in _walk("model", memoryview(content), 0):
        if kind == "node":
            operators.add((_text(fields, 7), _text(fields, 4)))
        elif kind == "property":
            properties[_text(fields, 1)] = _text(fields, 2)
        elif kind == "opset":
            opsets[_text(fields, 1)] = _number(fields, 2)
        elif kind == "tensor":
            has_external_data |= bool(_number(fields, 14)) or any(n == 13 for n, _ in fields)  # noqa: PLR2004
        has_functions |= kind == "function"
    opset = max((opsets.get(domain, 0) for domain in STANDARD_DOMAINS), default=0)
    return OnnxFile(opset, frozenset(operators), properties, has_functions, has_external_data)


def check_onnx_file(content: bytes, file: str) -> OnnxFile:
    """Refuse what the service would not run, whatever it computes.

    Raises:
        ReleaseRefused: "tower" for no ONNX file or another opset, "operators" for one that is
            not standard, not repeatable or not bounded, "external_data" for weights elsewhere.
    """
    try:
        found = read_onnx_file(content)
    except ValueError as error:
        raise ReleaseRefused(
            "tower", f"{file} is no ONNX file ({error}): export it again"
        ) from error
    if found.has_external_data:
        raise ReleaseRefused(
            "external_data",
            f"{file} keeps weights in another file: export it with all weights inside",
        )
    _check_operators(found, file)
    if not LOWEST_OPSET <= found.opset <= HIGHEST_OPSET:
        raise ReleaseRefused(
            "tower",
            f"{file} uses opset {found.opset} of the ONNX operators: export it with one from "
            f"{LOWEST_OPSET} to {HIGHEST_OPSET}",
        )
    return found


def _check_operators(found: OnnxFile, file: str) -> None:
    if found.has_functions:
        raise _refused(file, "defines operators of its own", "inline its functions")
    for domain, name in sorted(found.operators):
        if domain not in STANDARD_DOMAINS:
            raise _refused(file, f"uses {domain}.{name}", "use the operators of ai.onnx only")
        if name in UNREPEATABLE:
            raise _refused(file, f"uses {name}", "an answer has to be the same twice")
        if name in UNBOUNDED:
            raise _refused(file, f"uses {name}", "an answer has to come in bounded time")


def _refused(file: str, what: str, fix: str) -> ReleaseRefused:
    return ReleaseRefused("operators", f"{file} {what}, which no tower may: {fix}")


def _walk(kind: str, data: memoryview, depth: int) -> Iterator[tuple[str, Fields]]:
    """A message and all below it, outermost first."""
    if depth > DEEPEST:
        raise ValueError("nested too deep")
    fields = list(_fields(data))
    yield kind, fields
    children = CHILDREN.get(kind, {})
    for number, value in fields:
        if number in children:
            if not isinstance(value, memoryview):
                raise ValueError(f"field {number} of a {kind} is no message")
            yield from _walk(children[number], value, depth + 1)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of one message; fixed-size numbers are skipped."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire not in (BYTES, FIXED32, FIXED64):
            raise ValueError(f"unknown wire type {wire}")
        size = {FIXED32: 4, FIXED64: 8}.get(wire, 0)
        if wire == BYTES:
            size, at = _varint(data, at)
        if size > len(data) - at:
            raise ValueError("cut off")
        if wire == BYTES:
            yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number and where it ends."""
    value = 0
    for i in range(LONGEST_VARINT):
        if at + i >= len(data):
            raise ValueError("cut off")
        byte = data[at + i]
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:  # noqa: PLR2004
            return value, at + i + 1
    raise ValueError("a number without an end")


def _text(fields: Fields, number: int) -> str:
    values = [value for n, value in fields if n == number and isinstance(value, memoryview)]
    return str(values[-1], "utf-8") if values else ""


def _number(fields: Fields, number: int) -> int:
    values = [value for n, value in fields if n == number and isinstance(value, int)]
    return values[-1] if values else 0
