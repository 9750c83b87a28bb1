import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.actions import ACTION_CODES
from service.domain.events import Event
from service.domain.items import item_hash
from service.domain.sessions import EMPTY_SESSION, Marks, Session
from service.stores.codec import Keep, pack_events, pack_session, unpack_session
from service.stores.keys import UserKeys

KEYS = UserKeys.of("u:42")
SESSION = Session(
    item_ids=("85123A", "größe"),
    action_types=np.array([ACTION_CODES["purchase"], ACTION_CODES["view"]], dtype=np.int64),
    at_s=np.array([1_700_000_000.0, 1_700_000_060.25]),
    n_interactions=7,
    interests=("garden",),
    purchased=Marks(np.array([item_hash("85123A")], dtype=np.uint64), np.array([1_700_000_000.0])),
    returned=Marks(np.array([item_hash("22423")], dtype=np.uint64), np.array([1_699_999_970.0])),
    seen=Marks(np.array([item_hash("größe")], dtype=np.uint64), np.array([1_700_000_060.0])),
)
GOLDEN = (
    "02"  # version
    "5b75055d47c1608b"  # owner check
    "07000000"  # interactions
    "020001000100010001"  # actions, purchased, returned, seen: 2 bytes each; interests: 1
    "0f000000"  # bytes of the ids
    "008056febc18"  # purchase at 1700000000.000
    "a33565febc18"  # view at 1700000060.250
    "562714821209e95d00f15365"  # purchased: 85123A at 1700000000
    "9be11ef0ded57d46e2f05365"  # returned: 22423 at 1699999970
    "d353a2671b67afff3cf15365"  # seen: größe at 1700000060
    "3835313233410a6772c3b6c39f650a"  # ids
    "67617264656e0a"  # interests
)
GOLDEN_EVENT = "8b5cc4df7eec0f8056febc18562714821209e95d0600383531323341"


def same(one: Session, other: Session) -> bool:
    return (
        one.item_ids == other.item_ids
        and one.interests == other.interests
        and one.n_interactions == other.n_interactions
        and np.array_equal(one.action_types, other.action_types)
        and np.array_equal(one.at_s, other.at_s)
        and np.array_equal(one.purchased.hashes, other.purchased.hashes)
        and np.array_equal(one.purchased.at_s, other.purchased.at_s)
        and np.array_equal(one.returned.hashes, other.returned.hashes)
        and np.array_equal(one.returned.at_s, other.returned.at_s)
        and np.array_equal(one.seen.hashes, other.seen.hashes)
    )


def test_the_keys_of_a_person_come_from_the_hash_of_the_user_key() -> None:
    digest = hashlib.sha256(b"u:42").hexdigest()
    assert KEYS.session == f"sightline:{{{digest[:32]}}}:session".encode()
    assert KEYS.events == f"sightline:{{{digest[:32]}}}:events".encode()
    assert KEYS.check.hex() == digest[:16]


def test_the_keys_of_a_hostile_id_are_as_harmless_as_any() -> None:
    for user in ("u:}{a}", "u:a b", "u:a\r\nDEL x", "u:" + "ß" * 256):
        assert UserKeys.of(user).session.count(b"{") == 1
        assert len(UserKeys.of(user).session) == len(KEYS.session)


def test_a_session_has_the_documented_bytes() -> None:
    assert pack_session(SESSION, KEYS.check).hex() == GOLDEN


def test_links_follow_the_interests() -> None:
    data = pack_session(replace(SESSION, links=("a:phone", "a:größe")), KEYS.check)
    assert data.hex() == GOLDEN + b"a:phone\na:gr\xc3\xb6\xc3\x9fe\n".hex()
    session, outcome = unpack_session(data, KEYS.check)
    assert (session.interests, session.links, outcome) == (
        ("garden",),
        ("a:phone", "a:größe"),
        "ok",
    )


def test_a_session_may_hold_nothing_but_links() -> None:
    data = pack_session(replace(EMPTY_SESSION, links=("u:42",)), KEYS.check)
    assert len(data) == 26 + 5
    assert unpack_session(data, KEYS.check)[0].links == ("u:42",)


def test_events_have_the_documented_bytes() -> None:
    packed = pack_events([Event("e1", "impression", "u:42", "85123A", 1_700_000_000.0)])
    assert packed.hex() == GOLDEN_EVENT


def test_what_is_packed_is_unpacked() -> None:
    session, outcome = unpack_session(pack_session(SESSION, KEYS.check), KEYS.check)
    assert same(session, SESSION)
    assert outcome == "ok"


def test_the_empty_session_survives_too() -> None:
    data = pack_session(EMPTY_SESSION, KEYS.check)
    session, outcome = unpack_session(data, KEYS.check)
    assert (session.item_ids, outcome) == ((), "ok")
    assert unpack_session(b"", KEYS.check) == (EMPTY_SESSION, "miss")


def test_the_largest_session_fits_into_the_bound_of_a_read() -> None:
    keep = Keep()
    marks = Marks(np.arange(500, dtype=np.uint64), np.arange(500, dtype=np.float64))
    largest = replace(
        SESSION,
        item_ids=("\U0001f600" * 256,) * keep.actions,
        action_types=np.zeros(keep.actions, dtype=np.int64),
        at_s=np.full(keep.actions, 1.7e9),
        interests=("ß" * 256,) * 10,
        purchased=marks,
        seen=Marks(marks.hashes[: keep.seen], marks.at_s[: keep.seen]),
    )
    assert len(pack_session(largest, KEYS.check)) <= keep.max_bytes


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"x" * 10_000,
        b"\x01" + pack_session(SESSION, KEYS.check)[1:],
        pack_session(SESSION, UserKeys.of("u:43").check),
        pack_session(SESSION, KEYS.check)[:-1],
        pack_session(SESSION, KEYS.check)[:40],
        pack_session(SESSION, KEYS.check) + b"more",
        pack_session(SESSION, KEYS.check).replace(b"85123A\n", b"85123A."),
    ],
    ids=["short", "noise", "version", "somebody else", "cut", "half", "longer", "lost line"],
)
def test_bytes_that_make_no_sense_are_an_empty_session(data: bytes) -> None:
    assert unpack_session(data, KEYS.check) == (EMPTY_SESSION, "corrupt")


def test_a_broken_id_costs_that_id_only() -> None:
    data = pack_session(SESSION, KEYS.check).replace(b"85123A", b"85\xff23A")
    session, outcome = unpack_session(data, KEYS.check)
    assert (session.item_ids[1], outcome) == ("größe", "corrupt")


def test_an_unknown_action_costs_that_action_only() -> None:
    data = pack_session(replace(SESSION, action_types=np.array([9, 3], dtype=np.int64)), KEYS.check)
    session, outcome = unpack_session(data, KEYS.check)
    assert (session.item_ids, outcome) == (("größe",), "corrupt")
    assert session.is_negative.tolist() == [False]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A session with bytes changed, cut out or put in."""
    data = bytearray(pack_session(SESSION, KEYS.check))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        n = draw(st.integers(0, 4))
        data[at : at + n] = draw(st.binary(max_size=4))
    return bytes(data)


@given(mutated() | st.binary(max_size=400))
def test_no_bytes_make_reading_raise(data: bytes) -> None:
    session, outcome = unpack_session(data, KEYS.check)
    assert outcome in {"ok", "miss", "corrupt"}
    assert len(session.item_ids) == len(session.action_types) == len(session.at_s)
    assert np.isfinite(session.at_s).all()
    assert session.is_negative.shape == session.at_s.shape
    assert (session.age_s(1.7e9) or 0.0) >= 0.0
    assert len(session.seen.since(0.0)) == len(session.seen.hashes)
