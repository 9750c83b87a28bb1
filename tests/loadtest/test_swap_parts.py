"""What `make bench-swap` is made of: the judge of answers, the times of a change, memory."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from loadtest.calls import Calls, Outcome, Request
from loadtest.client import Answer
from loadtest.expected import Judge
from loadtest.memory import all_gone, descendants, pss_bytes
from loadtest.operating import Change
from loadtest.promises import Promises
from loadtest.switches import bad, n_bad, parts, turn

LIKED = frozenset(f"item-{number}" for number in range(10))
JUDGE = Judge({"a": [LIKED], "b": [LIKED]}, {"a": frozenset({"item-99"}), "b": frozenset()})


def answer(
    release: str = "a",
    header: str = "a",
    items: frozenset[str] = LIKED,
    is_degraded: bool = False,
    status: int = 200,
) -> Answer:
    body = {
        "versions": {"release": release},
        "items": [{"item_id": item_id} for item_id in items],
        "degraded": {"is_degraded": is_degraded},
    }
    head = f"http/1.1 {status} x\r\nx-release: {header}\r\n".encode()
    return Answer(status, head, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (answer(), Outcome.OK),
        (answer(items=LIKED - {"item-1"} | {"item-50"}), Outcome.OK),
        (answer(items=frozenset(f"item-{n}" for n in range(5, 15))), Outcome.WRONG),
        (answer(items=LIKED - {"item-1"} | {"item-99"}), Outcome.WRONG),
        (answer(release="b", header="b", items=LIKED - {"item-1"} | {"item-99"}), Outcome.OK),
        (answer(header="b"), Outcome.WRONG),
        (answer(release="c", header="c"), Outcome.WRONG),
        (answer(items=frozenset({"item-70"}), is_degraded=True), Outcome.DEGRADED),
        (answer(status=503), Outcome.STATUS),
    ],
    ids=[
        "the learnt list",
        "one place changed",
        "half noise",
        "an item that the release blocks",
        "an item that only the other one blocks",
        "another release in the header",
        "a release that nobody knows",
        "an honest fallback",
        "an error",
    ],
)
def test_an_answer_is_judged_by_the_release_that_it_names(given: Answer, outcome: Outcome) -> None:
    assert JUDGE(7, given)[0] is outcome


def called(*calls: tuple[float, float, Outcome, str]) -> Calls:
    """Calls of (due, seconds, outcome, giver)."""
    found = Calls()
    for due_s, seconds, outcome, giver in calls:
        found.note(Request(0, due_s, due_s), outcome, giver)
        found.ms[-1] = seconds * 1000
    return found


CHANGE = Change("b", asked_s=10.0, answered_s=15.0, gone_s=20.0)


def test_a_change_is_timed_by_what_clients_received() -> None:
    calls = called(
        (3.0, 0.1, Outcome.OK, "b"),  # of an earlier change
        (11.0, 0.1, Outcome.OK, "a"),
        (14.0, 0.5, Outcome.OK, "b"),
        (14.1, 2.9, Outcome.OK, "a"),
        (16.0, 0.1, Outcome.OK, "b"),
        (17.5, 0.2, Outcome.LOST, ""),
    )
    found = turn(calls, CHANGE)
    assert (found.first_s, found.last_s, found.gone_s) == pytest.approx((4.5, 7.0, 10.0))


def test_calls_belong_to_the_time_at_which_they_were_due() -> None:
    calls = called(
        (9.0, 0.001, Outcome.OK, "a"),
        (10.5, 0.005, Outcome.OK, "a"),
        (15.0, 0.002, Outcome.OK, "b"),
        (15.5, 0.020, Outcome.OK, "a"),
        (20.5, 9.0, Outcome.OK, "b"),  # counted to neither side
        (22.0, 0.001, Outcome.OK, "b"),
    )
    steady, during, loading, handing_over = parts(calls, [CHANGE])
    assert (steady.n, during.n, loading.n, handing_over.n) == (2, 3, 2, 1)
    assert steady.max_ms == pytest.approx(1.0) and during.max_ms == pytest.approx(20.0)


def test_whatever_failed_is_said_by_its_kind() -> None:
    kinds = (Outcome.STATUS, Outcome.LOST, Outcome.REFUSED, Outcome.TIMEOUT, Outcome.WRONG)
    calls = called(*((float(n), 0.1, kind, "") for n, kind in enumerate(kinds)))
    assert n_bad(calls) == 5
    assert "1 non-2xx, 2 connection errors (1 refused, 1 cut), 1 timeouts, 1 mixed" in bad(calls)
    assert n_bad(called((0.0, 0.1, Outcome.DEGRADED, "a"))) == 0


def test_a_broken_promise_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    promises = Promises()
    promises.at_most("errors", 0, 0)
    assert promises.told()
    promises.at_most("p99 ratio", 1.6, 1.5)
    assert not promises.told()
    assert "BROKEN" in capsys.readouterr().out


CHILD = "import signal; signal.pause()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{CHILD}'])"


def test_a_family_and_its_memory_are_found() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT]) as process:
        deadline_s = time.monotonic() + 30
        while len(family := descendants(process.pid)) < 2:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        child = next(member for member in family if member.pid != process.pid)
        assert child.name.startswith("python") and child.is_alive
        assert pss_bytes(family) > pss_bytes([child]) > 2**20
        subprocess.run(["kill", "-9", str(child.pid)], check=True)
    assert all_gone(family) and pss_bytes(family) == 0


def test_time_spans_are_half_open() -> None:
    calls = called((1.0, 0.1, Outcome.OK, ""), (2.0, 0.1, Outcome.OK, ""))
    assert np.array_equal(calls.within(1.0, 2.0), [True, False])
