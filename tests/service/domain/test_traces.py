"""Traces: what is forgiven is noted, what is not comes through."""

import pytest

from service.domain.traces import Trace
from service.errors import StoreUnavailable


def test_a_forgiven_stage_is_noted_with_its_outcome() -> None:
    trace = Trace("r1")
    with trace.stage("lookup", forgive="session"):
        raise StoreUnavailable("timeout")
    assert trace.degraded == ["session"]
    assert [(stage.name, stage.error) for stage in trace.stages] == [("lookup", "timeout")]


def test_an_unforgiven_error_comes_through_and_is_timed() -> None:
    trace = Trace("r1")
    with pytest.raises(ValueError, match="no"), trace.stage("truncate"):
        raise ValueError("no")
    assert trace.stages[0].error == "exception"
    assert trace.degraded == []


def test_a_cancelled_request_is_not_forgiven() -> None:
    trace = Trace("r1")
    with pytest.raises(KeyboardInterrupt), trace.stage("lookup", forgive="session"):
        raise KeyboardInterrupt


def test_removals_of_a_rule_add_up_and_nothing_removed_is_not_listed() -> None:
    trace = Trace("r1")
    trace.remove("stock", 2)
    trace.remove("stock", 1)
    trace.remove("seen", 0)
    assert trace.removed == {"stock": 3}
