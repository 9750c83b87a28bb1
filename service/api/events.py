"""POST /v1/events: what people did, judged event by event."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from pydantic import ValidationError

from service.api.answer import OK
from service.api.convert import Limits, check_ids
from service.api.endpoint import Endpoint
from service.api.exchange import JSON, Exchange, Scope
from service.api.parse import field_errors, parse_body
from service.api.problems import InvalidFields, RateLimited
from service.api.quotas import Quota
from service.api.schemas import EventBody, EventsEnvelope
from service.domain.actions import EVENT_TYPES
from service.domain.events import Event, EventOutcome
from service.domain.identity import user_key
from service.errors import StoreUnavailable
from service.ingest import IngestResult
from service.monitoring.metrics import Metrics
from service.wiring.parts import Parts

PATH = "/v1/events"
CODES = ("timestamp_ambiguous", "timestamp_invalid")
"""Errors of a field that are codes of their own; every other one is `invalid`."""
RATE_LIMITED = "rate_limited"


@dataclass(slots=True)
class Batch:
    """The events of one call: those that could be read, with their places, and the others."""

    events: list[Event] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    rejected: dict[int, tuple[str, str]] = field(default_factory=dict)


class Events(Endpoint):
    """The ASGI endpoint."""

    route = PATH
    _quota: Quota | None = None

    async def serve(self, exchange: Exchange, scope: Scope, parts: Parts) -> None:
        limits = parts.settings.limits
        data = await exchange.body(limits.events_body_bytes)
        values = parse_body(EventsEnvelope, data).events
        if len(values) > limits.events_max:
            raise InvalidFields([("events", f"at most {limits.events_max} here")])
        left_ms = exchange.time_left_ms(parts.settings.redis.write_wait_ms)  # refuses if expired
        batch = self._within_quota(read_events(values, limits, parts.clock()), parts)
        result = await _record(batch, parts, left_ms / 1000)
        _count(values, batch, result, parts)
        await exchange.answer(OK, _encode(batch, result), JSON)

    def _within_quota(self, batch: Batch, parts: Parts) -> Batch:
        """The batch without what is beyond the share of one person.

        Raises:
            RateLimited: nothing else is left.
        """
        limits = parts.settings.limits
        if self._quota is None:
            self._quota = Quota(limits.person_events_per_s, limits.person_events_burst)
        passing = Batch(rejected=batch.rejected)
        now_s = time.monotonic()
        for place, event in zip(batch.places, batch.events, strict=True):
            if self._quota.take(event.user, now_s):
                passing.events.append(event)
                passing.places.append(place)
            else:
                passing.rejected[place] = (RATE_LIMITED, "too many events of this person")
                parts.metrics.event(event.event_type, EventOutcome.DROPPED)
        if batch.events and not passing.events:
            raise RateLimited
        return passing


def read_events(values: Sequence[object], limits: Limits, now_s: float) -> Batch:
    """Validates each event on its own."""
    batch = Batch()
    for place, value in enumerate(values):
        try:
            event = _event(EventBody.model_validate(value), limits, now_s)
        except ValidationError as error:
            batch.rejected[place] = _why(error)
        except InvalidFields as error:
            batch.rejected[place] = ("invalid", str(error))
        else:
            batch.events.append(event)
            batch.places.append(place)
    return batch


def _event(body: EventBody, limits: Limits, now_s: float) -> Event:
    user = user_key(body.user_id, body.anonymous_id)
    if user is None:
        raise InvalidFields([("user_id", "user_id or anonymous_id is needed")])
    check_ids(limits, body.user_id, body.anonymous_id, body.event_id, body.item_id)
    return Event(
        event_id=body.event_id,
        event_type=body.event_type,
        user=user,
        item_id=body.item_id,
        at_s=now_s if body.timestamp is None else body.timestamp,
        value=float("nan") if body.value is None else body.value,
        recommendation_id=body.recommendation_id or "",
        rank=body.rank or 0,
        country=body.country or "",
    )


def _why(error: ValidationError) -> tuple[str, str]:
    """Code and sentence of an event that could not be read."""
    kinds = {problem["type"] for problem in error.errors(include_url=False)}
    code = next((code for code in CODES if code in kinds), "invalid")
    return code, "; ".join(f"{name}: {detail}" for name, detail in field_errors(error)[:5])


async def _record(batch: Batch, parts: Parts, within_s: float) -> IngestResult:
    if not batch.events:
        return IngestResult(())
    try:
        return await parts.ingest.record(batch.events, within_s)
    except StoreUnavailable:
        for event in batch.events:
            parts.metrics.event(event.event_type, EventOutcome.DROPPED)
        raise


def _count(values: Sequence[object], batch: Batch, result: IngestResult, parts: Parts) -> None:
    metrics: Metrics = parts.metrics
    now_s = parts.clock()
    for event, outcome in zip(batch.events, result.outcomes, strict=True):
        metrics.event(event.event_type, outcome)
        if outcome is EventOutcome.STORED:
            metrics.event_lag(now_s - event.at_s)
            parts.impressions.happened(event)
            parts.trends.count(event)
    for place in (at for at, (code, _) in batch.rejected.items() if code != RATE_LIMITED):
        value = values[place]
        kind = value.get("event_type") if isinstance(value, dict) else None
        metrics.event(kind if kind in EVENT_TYPES else "other", EventOutcome.INVALID)


def _encode(batch: Batch, result: IngestResult) -> bytes:
    rejected = dict(batch.rejected)
    for entry in result.rejected:
        rejected[batch.places[entry.index]] = (entry.code, entry.detail)
    return orjson.dumps(
        {
            "accepted": result.accepted,
            "duplicates": result.duplicates,
            "rejected": [
                {"index": place, "code": code, "detail": _shown(detail)}
                for place, (code, detail) in sorted(rejected.items())
            ],
        }
    )


def _shown(detail: str) -> str:
    return detail[:500].encode("utf-8", "replace").decode()
