"""Bytes in Redis <-> values; docs/redis.md describes every byte."""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from service.domain.actions import ACTION_CODES, ACTIONS, IMPRESSION
from service.domain.arrays import Rows, Times
from service.domain.events import Event
from service.domain.sessions import EMPTY_SESSION, Marks, Session

VERSION = 2
IMPRESSION_CODE = 15
"""Action code of an event that only marks its item as seen; never stored as an action."""

_HEADER = struct.Struct("<B8sIHHHHBI")
_EVENT = struct.Struct("<6sIH8sH")
_LIMITS = struct.Struct("<IIIHHHH")
_MOMENT_BYTES, _MARK_BYTES = 6, 12
_ID_BYTES, _REST_BYTES = 1024, 24_576
_CODES = {**ACTION_CODES, IMPRESSION: IMPRESSION_CODE}
_NO_MARKS = Marks()
_INT64, _UINT64, _UINT32 = np.dtype("<i8"), np.dtype("<u8"), np.dtype("<u4")


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept of a person, and for how long.

    Attributes:
        actions: newest actions.
        purchased: items bought, or returned since.
        seen: items shown or opened.
        event_ids: hashes of event ids remembered at most, for deduplication.
        ttl_s: life of a session after its last event.
        dedupe_s: how long an event id counts once.
    """

    actions: int = 50
    purchased: int = 500
    seen: int = 200
    event_ids: int = 512
    ttl_s: int = 90 * 86_400
    dedupe_s: int = 86_400

    @property
    def max_bytes(self) -> int:
        """Size of the largest session that these limits allow; nothing beyond it is ever read."""
        actions = self.actions * (_MOMENT_BYTES + _ID_BYTES + 1)
        marks = (self.purchased + self.seen) * _MARK_BYTES
        return _HEADER.size + actions + marks + _REST_BYTES

    def pack(self, now_s: float) -> bytes:
        """The limits as the script takes them; `now_s` in epoch seconds."""
        kept = (self.actions, self.purchased, self.seen, self.event_ids)
        return _LIMITS.pack(int(now_s), self.ttl_s, self.dedupe_s, *kept)


def pack_events(events: Iterable[Event]) -> bytes:
    """The events of one person as the script takes them."""
    return b"".join(map(_pack_event, events))


def _pack_event(event: Event) -> bytes:
    moment = round(event.at_s * 1000) * 16 + _CODES[event.event_type]
    item = event.item_id.encode()
    return (
        _EVENT.pack(
            hashlib.sha256(event.event_id.encode()).digest()[:6],
            moment & 0xFFFFFFFF,
            moment >> 32,
            hashlib.sha256(item).digest()[:8],
            len(item),
        )
        + item
    )


def pack_session(session: Session, check: bytes) -> bytes:
    """A session as the script stores it, to the byte."""
    at_ms = np.rint(session.at_s * 1000).astype(np.int64)
    moments = (at_ms * 16 + session.action_types).astype("<i8").view(np.uint8).reshape(-1, 8)
    ids = b"".join(item_id.encode() + b"\n" for item_id in session.item_ids)
    head = _HEADER.pack(
        VERSION,
        check,
        session.n_interactions,
        len(session.item_ids),
        len(session.purchased.hashes),
        len(session.returned.hashes),
        len(session.seen.hashes),
        len(session.interests),
        len(ids),
    )
    marks = b"".join(map(_pack_marks, (session.purchased, session.returned, session.seen)))
    rest = b"".join(name.encode() + b"\n" for name in (*session.interests, *session.links))
    return head + moments[:, :_MOMENT_BYTES].tobytes() + marks + ids + rest


def _pack_marks(marks: Marks) -> bytes:
    return marks.hashes.astype("<u8").tobytes() + marks.at_s.astype("<u4").tobytes()


def unpack_session(data: bytes, check: bytes) -> tuple[Session, str]:
    """The session in `data` and `ok`, `miss` or `corrupt`; what cannot be read is left out.

    Total: no bytes make it raise. Bytes of another version, of another person or of the wrong
    length give the empty session; a broken id or an unknown action costs that action only.
    """
    if not data:
        return EMPTY_SESSION, "miss"
    if len(data) < _HEADER.size:
        return EMPTY_SESSION, "corrupt"
    version, owner, count, n, *marked, interests, id_bytes = _HEADER.unpack_from(data)
    at_marks = _HEADER.size + n * _MOMENT_BYTES
    at_ids = at_marks + sum(marked) * _MARK_BYTES
    at_rest = at_ids + id_bytes
    if version != VERSION or owner != check or at_rest > len(data):
        return EMPTY_SESSION, "corrupt"
    ids, is_text = _unpack_text(data[at_ids:at_rest])
    names, is_name_text = _unpack_text(data[at_rest:])
    if len(ids) != n or len(names) < interests:
        return EMPTY_SESSION, "corrupt"
    types, at_s = _unpack_moments(data, n)
    purchased, returned, seen = _unpack_marks(data, at_marks, marked)
    session = Session(
        item_ids=ids,
        action_types=types,
        at_s=at_s,
        n_interactions=max(count, n),
        interests=names[:interests],
        purchased=purchased,
        returned=returned,
        seen=seen,
        links=names[interests:],
    )
    if n and int(types.max()) >= len(ACTIONS):
        return _without_unknown_actions(session), "corrupt"
    return session, "ok" if is_text and is_name_text else "corrupt"


def _unpack_text(data: bytes) -> tuple[tuple[str, ...], bool]:
    """Lines, each ended by a line feed, and whether all of it is UTF-8."""
    if not data:
        return (), True
    try:
        lines, is_text = data.decode().split("\n"), True
    except UnicodeDecodeError:
        lines, is_text = data.decode(errors="replace").split("\n"), False
    if lines.pop():
        return (), False
    return tuple(lines), is_text


def _unpack_moments(data: bytes, n: int) -> tuple[Rows, Times]:
    """Action codes int64 [n] and epoch seconds float64 [n].

    Reads each moment as the upper 6 of 8 bytes that begin 2 bytes earlier.
    """
    wide: Rows = np.ndarray(n, _INT64, data, _HEADER.size - 2, (_MOMENT_BYTES,))
    return (wide >> 16) & 15, (wide >> 20) / 1000.0


def _unpack_marks(data: bytes, start: int, counts: Iterable[int]) -> Iterator[Marks]:
    """One set of marks after the other."""
    for n in counts:
        if not n:
            yield _NO_MARKS
            continue
        at_s = np.frombuffer(data, _UINT32, n, start + 8 * n).astype(np.float64)
        yield Marks(np.frombuffer(data, _UINT64, n, start), at_s)
        start += n * _MARK_BYTES


def _without_unknown_actions(session: Session) -> Session:
    keep = np.flatnonzero(session.action_types < len(ACTIONS))
    return replace(
        session,
        item_ids=tuple(session.item_ids[i] for i in keep),
        action_types=session.action_types[keep],
        at_s=session.at_s[keep],
    )
