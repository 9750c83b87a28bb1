"""One line of the impression log: all that off-policy evaluation needs, and nobody's id."""

import orjson

from service.domain.events import Event
from service.domain.recommendations import Recommendation
from service.domain.requests import Request
from service.domain.sources import SOURCE_WORDS
from service.domain.traces import Trace
from service.ports.serving import Release

FEEDBACK = frozenset({"view", "click", "add_to_cart", "purchase", "return", "dislike"})


def impression_line(
    request: Request, trace: Trace, answer: Recommendation, release: Release, at_s: float
) -> bytes:
    """A shown list. For each explored slot the pool it was drawn from, and the chance of each."""
    catalogue = release.catalogue
    draws = [
        {
            "item_id": catalogue.item_ids[draw.row],
            "pool": catalogue.ids_of(draw.pool),
            "propensity": draw.propensity,
        }
        for draw in trace.draws
    ]
    return orjson.dumps(
        {
            "kind": "impression",
            "at": at_s,
            "recommendation_id": answer.recommendation_id,
            "release": answer.release,
            "embedding_version": answer.embedding_version,
            "scenario": request.scenario,
            "experiment": request.experiment,
            "segment": answer.segment,
            "requested": answer.requested,
            "degraded": trace.degraded,
            "items": answer.item_ids,
            "sources": [SOURCE_WORDS[source] for source in answer.items.sources.tolist()],
            "draws": draws,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def feedback_line(event: Event) -> bytes:
    """What somebody did to a recommended item."""
    return orjson.dumps(
        {
            "kind": "feedback",
            "at": event.at_s,
            "recommendation_id": event.recommendation_id,
            "item_id": event.item_id,
            "event_type": event.event_type,
            "rank": event.rank,
            "value": event.value,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
