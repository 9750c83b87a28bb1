"""The open loop: nothing is hidden, and every way to fail is counted as what it is."""

import asyncio
import time

import pytest

from loadtest import open_loop
from loadtest.background import Load, background
from loadtest.calls import Calls, Outcome
from loadtest.client import encode
from loadtest.open_loop import Driver, drive
from tests.loadtest.server import CLOSING, HEAD, Server, serving

REQUESTS = [encode("/v1/recommend", {"user_id": "u"})]
PER_S, SECONDS = 200.0, 0.5
N = 100


async def at_once(server: Server, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"ok")


def driven(server: Server, clients: int = 4) -> Calls:
    return drive(Driver(server.url, REQUESTS, PER_S, clients), SECONDS)


def counts(calls: Calls) -> dict[Outcome, int]:
    return {outcome: n for outcome in Outcome if (n := calls.count(outcome))}


def test_every_request_is_sent_at_its_time_and_counted_once() -> None:
    with serving(at_once) as server:
        calls = driven(server)
    assert counts(calls) == {Outcome.OK: N} and server.requests == N
    due_s = sorted(calls.due_s)
    assert due_s[-1] - due_s[0] == pytest.approx((N - 1) / PER_S)
    assert server.connections == 4


def test_a_stall_counts_for_all_who_would_have_come_during_it() -> None:
    """A closed loop would have seen one slow call."""

    async def stall_once(server: Server, writer: asyncio.StreamWriter) -> None:
        if server.requests == 20:
            await asyncio.sleep(0.25)
        writer.write(HEAD + b"ok")

    with serving(stall_once) as server:
        calls = driven(server, clients=1)
    assert counts(calls) == {Outcome.OK: N}
    assert max(calls.ms) >= 250 and sum(ms >= 125 for ms in calls.ms) >= 20


def test_a_connection_that_is_to_be_closed_is_not_used_again() -> None:
    async def close(server: Server, writer: asyncio.StreamWriter) -> None:
        writer.write(CLOSING + b"ok")

    with serving(close) as server:
        calls = driven(server)
    assert counts(calls) == {Outcome.OK: N}
    assert server.connections >= N


def test_an_idle_connection_that_ends_is_no_error() -> None:
    async def close_silently(server: Server, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"ok")
        if server.requests % 10 == 0:
            await asyncio.sleep(0.001)  # the answer is read before the end
            writer.close()

    with serving(close_silently) as server:
        calls = drive(Driver(server.url, REQUESTS, PER_S, 40), SECONDS)
    assert calls.count(Outcome.OK) >= N - 1 and server.connections > 40


def test_a_connection_cut_within_an_answer_is_counted_as_cut() -> None:
    async def cut(server: Server, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"o")
        if server.requests % 2:
            writer.write(b"k")
        else:
            writer.close()

    with serving(cut) as server:
        calls = driven(server)
    assert counts(calls) == {Outcome.OK: N // 2, Outcome.LOST: N // 2}


def test_an_answer_other_than_2xx_is_counted_as_such() -> None:
    async def refuse(server: Server, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    with serving(refuse) as server:
        calls = driven(server)
    assert counts(calls) == {Outcome.STATUS: N} and calls.errors == N


def test_silence_is_counted_as_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    async def be_silent(server: Server, writer: asyncio.StreamWriter) -> None:
        if server.requests % 2:
            writer.write(HEAD + b"ok")

    monkeypatch.setattr(open_loop, "TIMEOUT_S", 0.2)
    with serving(be_silent) as server:
        calls = drive(Driver(server.url, REQUESTS, PER_S, 64), SECONDS)
    assert set(counts(calls)) == {Outcome.OK, Outcome.TIMEOUT} and len(calls.ms) == N


def test_a_service_that_goes_away_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def leave(server: Server, writer: asyncio.StreamWriter) -> None:
        assert server.listener is not None
        if server.requests == N // 2:
            server.listener.close()
        writer.write((HEAD if server.requests < N // 2 else CLOSING) + b"ok")

    monkeypatch.setattr(open_loop, "TIMEOUT_S", 0.5)
    with serving(leave) as server:
        calls = driven(server)
    assert calls.count(Outcome.OK) >= N // 2 and calls.count(Outcome.REFUSED) > 0
    assert len(calls.ms) == N


def test_a_load_in_the_background_goes_on_until_it_is_stopped() -> None:
    with serving(at_once) as server:
        with background(Load(server.url, REQUESTS, PER_S)) as driver:
            deadline_s = time.monotonic() + 30
            while server.requests < 50:
                assert time.monotonic() < deadline_s
                time.sleep(0.01)
            calls = driver.stop()
        assert counts(calls) == {Outcome.OK: server.requests}


def test_where_nobody_listens_every_call_is_refused() -> None:
    with serving(at_once) as server:
        pass
    calls = driven(server)
    assert counts(calls) == {Outcome.REFUSED: N}
