import pytest

from service.stores.breaker import Breaker, State


class Time:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def states() -> list[str]:
    return []


@pytest.fixture
def breaker(time: Time, states: list[str]) -> Breaker:
    return Breaker(3, 1.0, 30.0, states.append, time)


def reopen(breaker: Breaker, time: Time) -> float:
    """The probe of an open breaker fails; the pause that follows."""
    time.now_s += breaker.wait_s
    breaker.half_open()
    assert breaker.fail()
    return breaker.wait_s


def test_it_opens_after_failures_in_a_row_only(breaker: Breaker, states: list[str]) -> None:
    for _ in range(5):
        assert not breaker.fail()
        assert not breaker.fail()
        breaker.succeed()
    assert breaker.is_closed
    assert [breaker.fail() for _ in range(3)] == [False, False, True]
    assert states == ["open"]


def test_a_server_that_stays_down_is_asked_once_a_second(breaker: Breaker, time: Time) -> None:
    breaker.trip()
    for pause in [breaker.wait_s] + [reopen(breaker, time) for _ in range(50)]:
        assert 0.8 <= pause <= 1.2


def test_one_good_probe_closes_it(breaker: Breaker, states: list[str]) -> None:
    breaker.trip()
    breaker.half_open()
    breaker.succeed()
    assert breaker.is_closed
    assert states == ["open", "half_open", "closed"]


def test_a_server_that_flaps_gets_longer_pauses(breaker: Breaker, time: Time) -> None:
    for wanted in (1, 2, 4, 8, 16, 30, 30):
        breaker.trip()
        assert wanted * 0.8 <= breaker.wait_s <= wanted * 1.2
        time.now_s += breaker.wait_s
        breaker.succeed()
        time.now_s += 1.0


def test_a_server_that_stayed_well_gets_the_shortest_pause_again(
    breaker: Breaker, time: Time
) -> None:
    breaker.trip()
    reopen(breaker, time)
    breaker.succeed()
    time.now_s += 31.0
    breaker.trip()
    assert breaker.wait_s <= 1.2


def test_half_open_counts_as_not_closed(breaker: Breaker) -> None:
    breaker.trip()
    breaker.half_open()
    assert breaker.state is State.HALF_OPEN
    assert not breaker.is_closed
