"""Several ids, one person: which links hold, and how histories become one."""

from dataclasses import replace

import numpy as np
import pytest

from service.domain.identity import Person, merge, named_ids, person_of, user_key
from service.domain.items import item_hash
from service.domain.sessions import EMPTY_SESSION, Session
from tests.factories import NOW_S, make_marks, make_session


def linked(*links: str) -> Session:
    return replace(make_session(("i1", "view")), links=links)


def test_accounts_and_devices_of_one_name_are_two() -> None:
    assert user_key("7", None) == "u:7"
    assert user_key(None, "7") == "a:7"
    assert user_key("7", "8") == "u:7"
    assert user_key(None, None) is None


@pytest.mark.parametrize("user", ["u:ann", "a:phone", "a:tablet"])
def test_every_id_leads_to_the_same_person(user: str) -> None:
    sessions = {
        "u:ann": linked("a:phone", "a:tablet"),
        "a:phone": linked("u:ann", "a:tablet"),
        "a:tablet": linked("u:ann"),
    }
    assert person_of(user, sessions) == Person("u:ann", ("u:ann", "a:phone", "a:tablet"))


def test_a_link_that_only_one_end_knows_is_none() -> None:
    claimed = {"u:ann": linked(), "a:phone": linked("u:ann")}
    assert person_of("a:phone", claimed).ids == ("a:phone",)
    assert person_of("u:ann", claimed).ids == ("u:ann",)
    listed = {"u:ann": linked("a:phone"), "a:phone": linked("u:bob")}
    assert person_of("u:ann", listed).ids == ("u:ann",)


def test_whatever_the_links_say_nothing_loops() -> None:
    odd = {
        "u:ann": linked("u:ann", "u:bob", "a:x"),
        "u:bob": linked("u:ann"),
        "a:x": linked("a:x", "u:ann"),
    }
    assert person_of("u:ann", odd).ids == ("u:ann",)
    assert person_of("a:x", {"a:x": linked("a:x")}).ids == ("a:x",)


def test_ids_named_anywhere_are_to_be_read_once() -> None:
    sessions = {"a:x": linked("u:ann", "a:y"), "u:ann": linked("a:x", "a:y", "a:z")}
    assert named_ids("a:x", sessions) == ("a:x", "u:ann", "a:y", "a:z")
    assert named_ids("a:x", {"a:x": linked("u:ann", "a:y")}) == ("a:x", "u:ann", "a:y")


def test_linked_ids_that_were_not_read_are_counted() -> None:
    assert person_of("u:ann", {"u:ann": linked("a:x", "a:y")}).unread == 2
    assert person_of("a:x", {"a:x": linked("u:ann", "a:y")}).unread == 1
    assert person_of("a:x", {"a:x": linked(), "u:ann": linked()}).unread == 0


def test_nothing_and_one_are_as_they_are() -> None:
    session = make_session(("i1", "view"))
    assert merge() is EMPTY_SESSION
    assert merge(EMPTY_SESSION, EMPTY_SESSION) is EMPTY_SESSION
    assert merge(EMPTY_SESSION, session) is session


def test_merged_actions_are_ordered_by_time() -> None:
    stored = make_session(("i1", "view", 300), ("i2", "view", 100))
    assert merge(stored, make_session(("i3", "view", 200))).item_ids == ("i1", "i3", "i2")


def test_an_action_that_is_in_both_counts_once() -> None:
    stored = make_session(("i1", "view", 300), ("i2", "view", 100))
    merged = merge(stored, make_session(("i2", "view", 100)))
    assert (merged.item_ids, merged.n_interactions) == (("i1", "i2"), 2)


def test_forgotten_interactions_still_count() -> None:
    one = make_session(("i1", "view", 300), n_interactions=70)
    assert merge(one, make_session(("i2", "view"), n_interactions=9)).n_interactions == 79


def test_a_mark_keeps_its_latest_time() -> None:
    one = make_session(seen=make_marks(("hat", 90), ("cup", 50)))
    merged = merge(one, make_session(seen=make_marks(("tie", 70), ("hat", 10))))
    order = [item_hash(item) for item in ("tie", "cup", "hat")]
    assert merged.seen.hashes.tolist() == order
    assert merged.seen.at_s.tolist() == [NOW_S - 70, NOW_S - 50, NOW_S - 10]


@pytest.mark.parametrize(("returned_ago_s", "is_kept"), [(10, False), (90, True)])
def test_what_was_bought_here_and_returned_there_is_no_longer_purchased(
    returned_ago_s: float, is_kept: bool
) -> None:
    bought = make_session(("hat", "purchase", 50), purchased=make_marks(("hat", 50), ("cup", 99)))
    merged = merge(bought, make_session(("hat", "return", returned_ago_s)))
    assert (item_hash("hat") in merged.purchased.hashes.tolist()) is is_kept
    assert item_hash("cup") in merged.purchased.hashes.tolist()


def test_a_return_that_is_only_a_mark_by_now_counts_too() -> None:
    bought = make_session(purchased=make_marks(("hat", 50), ("cup", 99)))
    merged = merge(bought, make_session(returned=make_marks(("hat", 10), ("tie", 10))))
    assert merged.purchased.hashes.tolist() == [item_hash("cup")]
    assert set(merged.returned.hashes.tolist()) == {item_hash("hat"), item_hash("tie")}


def test_interests_of_all_ids_are_joined() -> None:
    merged = merge(
        make_session(interests=("toys", "books")), make_session(interests=("garden", "toys"))
    )
    assert merged.interests == ("toys", "books", "garden")


@pytest.mark.parametrize(
    ("ago_s", "n"), [((), 0), ((60,), 1), ((5000,), 0), ((9000, 5000, 3500, 1000), 1)]
)
def test_a_visit_goes_back_to_the_first_long_pause(ago_s: tuple[float, ...], n: int) -> None:
    session = Session(item_ids=("x",) * len(ago_s), at_s=NOW_S - np.array(ago_s, dtype=float))
    assert session.current(1800.0, NOW_S) == n


def test_a_visit_may_lie_a_little_ahead() -> None:
    session = Session(item_ids=("x", "y"), at_s=np.array([NOW_S - 60, NOW_S + 200]))
    assert session.current(1800.0, NOW_S) == 2
