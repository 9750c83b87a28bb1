"""Log lines are JSON, escaped and cut; the line of a request is sampled."""

import json
import logging

import pytest

from service.monitoring.logs import REQUESTS, JsonFormatter, RequestLog


def make_record(message: str, **changes: object) -> logging.LogRecord:
    record = logging.LogRecord("service.x", logging.WARNING, __file__, 1, message, (), None)
    record.__dict__.update(changes)
    return record


def test_a_line_is_one_json_object_without_raw_control_characters() -> None:
    line = JsonFormatter().format(make_record("a\nb\x1b[31m\u2028", facts={"status": 200}))
    assert not any(ord(character) < 32 for character in line)
    shown = json.loads(line)
    assert (shown["level"], shown["message"], shown["status"]) == (
        "warning",
        "a\nb\x1b[31m\u2028",
        200,
    )


def test_long_messages_are_cut() -> None:
    assert len(json.loads(JsonFormatter().format(make_record("x" * 100_000)))["message"]) == 4000


def test_a_share_of_one_writes_every_request_and_zero_writes_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger=REQUESTS):
        RequestLog(0.0).line("/v1/recommend", "r-1", 200, 0.001, None)
        assert not caplog.records
        RequestLog(1.0).line("/v1/recommend", "r-2", 200, 0.00125, {"count": 3})
    (record,) = caplog.records
    assert record.facts == {  # type: ignore[attr-defined]
        "request_id": "r-2",
        "route": "/v1/recommend",
        "status": 200,
        "duration_ms": 1.25,
        "count": 3,
    }
