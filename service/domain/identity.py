"""Several ids, one person: who belongs together, and their histories as one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from service.domain.actions import ACTION_CODES
from service.domain.arrays import Mask, Rows, Times
from service.domain.items import item_hash
from service.domain.sessions import EMPTY_SESSION, Marks, Session

ACCOUNT, ANONYMOUS = "u:", "a:"
"""How the user keys of accounts and of anonymous ids begin."""
_RETURN = ACTION_CODES["return"]


class LinkOutcome(StrEnum):
    """What became of a link."""

    LINKED = "linked"
    ALREADY = "already"
    CONFLICT = "conflict"
    UNLINKED = "unlinked"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks.

    Attributes:
        user: the user key that stands for the person: the account where one is known.
        ids: user keys whose histories belong together.
        unread: linked ids whose history could not be taken in this time.
    """

    user: str | None = None
    ids: tuple[str, ...] = ()
    unread: int = 0

    @property
    def is_account(self) -> bool:
        return self.user is not None and self.user.startswith(ACCOUNT)


NOBODY = Person()


def user_key(user_id: str | None, anonymous_id: str | None) -> str | None:
    """The key under which an id's actions are kept, None for nobody.

    The prefix keeps an account `7` and a device `7` apart.
    """
    if user_id is not None:
        return f"{ACCOUNT}{user_id}"
    return None if anonymous_id is None else f"{ANONYMOUS}{anonymous_id}"


def named_ids(user: str, sessions: Mapping[str, Session]) -> tuple[str, ...]:
    """All ids that may belong together, by the sessions that were read; `user` first."""
    found = dict.fromkeys((user, *sessions[user].links))
    account = _account(user, sessions)
    if account is not None:
        found.update(dict.fromkeys(sessions[account].links))
    return tuple(found)


def person_of(user: str, sessions: Mapping[str, Session]) -> Person:
    """The person behind a user key, by the sessions that were read (that of `user` is).

    A link holds while both ends say so: the account lists the anonymous id, and the anonymous id
    names the account first. So one write at either end undoes it, an anonymous id belongs to one
    account at most, and there are no chains and no cycles.
    """
    account = _account(user, sessions)
    if account is None:
        owner = sessions[user].links[:1]
        return Person(user, (user,), unread=int(bool(owner) and owner[0] not in sessions))
    listed = sessions[account].links
    linked = (one for one in listed if one in sessions and _claims(one, account, sessions[one]))
    unread = sum(one not in sessions for one in listed)
    return Person(account, (account, *dict.fromkeys(linked)), unread)


def _claims(one: str, account: str, session: Session) -> bool:
    return one.startswith(ANONYMOUS) and session.links[:1] == (account,)


def _account(user: str, sessions: Mapping[str, Session]) -> str | None:
    if user.startswith(ACCOUNT):
        return user
    account = next(iter(sessions[user].links), None)
    if account is None or account not in sessions or not account.startswith(ACCOUNT):
        return None
    return account if user in sessions[account].links else None


def merge(*sessions: Session) -> Session:
    """All of them as one, by time, newest last; what was stored for one id or many reads alike.

    An action in several (same item, type and instant) counts once. A mark keeps its latest time,
    and a purchase that was returned under another id is no longer purchased.
    """
    full = [session for session in sessions if session is not EMPTY_SESSION]
    if len(full) <= 1:
        return full[0] if full else EMPTY_SESSION
    ids = tuple(item_id for session in full for item_id in session.item_ids)
    types = np.concatenate([session.action_types for session in full])
    at_s = np.concatenate([session.at_s for session in full])
    order = _once(ids, types, at_s)
    counted = sum(max(session.n_interactions, len(session.item_ids)) for session in full)
    return replace(
        full[0],
        item_ids=tuple(ids[i] for i in order),
        action_types=types[order],
        at_s=at_s[order],
        n_interactions=counted - len(ids) + len(order),
        interests=tuple(dict.fromkeys(name for session in full for name in session.interests)),
        purchased=_latest([_not_returned(session, full) for session in full]),
        returned=_latest([session.returned for session in full]),
        seen=_latest([session.seen for session in full]),
    )


def _once(ids: tuple[str, ...], types: Rows, at_s: Times) -> Rows:
    """Positions by time, the first of each action."""
    seen: set[tuple[str, int, float]] = set()
    kept = []
    for i in np.argsort(at_s, kind="stable").tolist():
        action = (ids[i], int(types[i]), float(at_s[i]))
        if action not in seen:
            seen.add(action)
            kept.append(i)
    return np.array(kept, dtype=np.int64)


def _latest(marks: Sequence[Marks]) -> Marks:
    """The latest mark of each item, oldest first."""
    full = [its for its in marks if len(its.hashes)]
    if len(full) <= 1:
        return full[0] if full else Marks()
    hashes = np.concatenate([its.hashes for its in full])
    at_s = np.concatenate([its.at_s for its in full])
    order = np.argsort(at_s, kind="stable")
    _, last = np.unique(hashes[order][::-1], return_index=True)
    kept = order[np.sort(len(order) - 1 - last)]
    return Marks(hashes[kept], at_s[kept])


def _not_returned(session: Session, all_of: Sequence[Session]) -> Marks:
    """The purchased marks of one id without those that were returned under another."""
    marks = session.purchased
    if not len(marks.hashes):
        return marks
    keep: Mask = np.ones(len(marks.hashes), dtype=np.bool_)
    for other in all_of:
        if other is not session:
            for item, at_s in _returns(other):
                keep &= ~((marks.hashes == np.uint64(item)) & (marks.at_s <= at_s))
    return marks if keep.all() else Marks(marks.hashes[keep], marks.at_s[keep])


def _returns(session: Session) -> Iterator[tuple[int, float]]:
    """Hashes of items and when they were returned; what a caller brings along has no marks."""
    marks = session.returned
    yield from zip(marks.hashes.tolist(), marks.at_s.tolist(), strict=True)
    for i in np.flatnonzero(session.action_types == _RETURN).tolist():
        yield item_hash(session.item_ids[i]), float(session.at_s[i])
