"""What `make soak` makes of its samples: growth is found, and a wobble is not taken for it."""

import json
import os
from collections.abc import Callable

import pytest

from loadtest.memory import descendants
from loadtest.promises import Promises
from loadtest.soak import MIB, Sample, judged, mixed, open_files

MINUTE_S = 60.0


def samples(pss_mib: Callable[[int], float], series: int = 100) -> list[Sample]:
    """One sample every five minutes for two hours; `series` more of it at the end."""
    n = 24
    return [
        Sample(
            i * 5 * MINUTE_S, int(pss_mib(i) * MIB), 80 * MIB, 40, 5, 100 if i < n - 1 else series
        )
        for i in range(n)
    ]


def kept(them: list[Sample]) -> bool:
    promises = Promises()
    judged(them, promises)
    return promises.told()


def test_a_service_that_wobbles_keeps_its_promise() -> None:
    assert kept(samples(lambda i: 500 + (i * 7) % 5))


def test_what_happens_in_the_first_minutes_is_not_held_against_it() -> None:
    assert kept(samples(lambda i: 300 if i < 2 else 500))


@pytest.mark.parametrize("mib_each", [0.2, 8.0])
def test_growth_breaks_it(mib_each: float) -> None:
    assert not kept(samples(lambda i: 500 + i * mib_each))


def test_more_series_break_it() -> None:
    assert kept(samples(lambda _: 500, series=105))
    assert not kept(samples(lambda _: 500, series=106))


def test_lists_and_batches_of_several_sizes_are_asked_for() -> None:
    bodies = [
        json.loads(request.split(b"\r\n\r\n", 1)[1])
        for request in mixed([f"p{i}" for i in range(60)])
    ]
    assert {body["k"] for body in bodies if "k" in body} == {5, 20, 100}
    assert {len(body["requests"]) for body in bodies if "requests" in body} == {1, 8, 32}


def test_a_file_that_is_open_counts(tmp_path_factory: pytest.TempPathFactory) -> None:
    (own,) = [process for process in descendants(os.getpid()) if process.pid == os.getpid()]
    before = open_files(own)
    with (tmp_path_factory.mktemp("files") / "one").open("w"):
        assert open_files(own) == before + 1
