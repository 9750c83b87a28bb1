"""Quotas: a burst passes, then the rate, for each person alone, in bounded memory."""

from service.api.quotas import Quota


def test_a_burst_passes_and_then_the_rate() -> None:
    quota = Quota(per_s=2.0, burst=3)
    assert [quota.take("ann", 0.0) for _ in range(4)] == [True, True, True, False]
    assert [quota.take("ann", 0.5) for _ in range(2)] == [True, False]
    assert [quota.take("ann", 60.0) for _ in range(4)] == [True, True, True, False]


def test_one_person_does_not_use_up_the_share_of_another() -> None:
    quota = Quota(per_s=1.0, burst=1)
    assert quota.take("ann", 0.0)
    assert quota.take("bob", 0.0)
    assert not quota.take("ann", 0.0)


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    quota = Quota(per_s=1.0, burst=1)
    assert quota.take("ann", 10.0)
    assert not quota.take("ann", 5.0)


def test_only_the_latest_people_are_remembered() -> None:
    quota = Quota(per_s=0.001, burst=1, remembered=2)
    assert all(quota.take(person, 0.0) for person in ("a", "b", "c"))
    assert not quota.take("c", 0.0)
    assert quota.take("a", 0.0)  # forgotten, so it starts anew
