"""Sends a finished list and lets the metrics and the log know."""

import numpy as np

from service.api.encode import answer_headers, encode_answer
from service.api.exchange import Exchange
from service.domain.recommendations import Recommendation
from service.domain.requests import Request
from service.domain.traces import Trace
from service.ports.serving import Release
from service.wiring import Parts

OK = 200


def new_trace(exchange: Exchange) -> Trace:
    """A trace that counts from the arrival of the request."""
    return Trace(exchange.request_id, started_s=exchange.started_s)


async def send_list(
    exchange: Exchange, trace: Trace, answer: Recommendation, explain: bool
) -> None:
    """Encodes and sends; the facts for the log name no person."""
    with trace.stage("encode"):
        body = encode_answer(answer, trace, explain)
    await exchange.answer(OK, body, *answer_headers(answer, trace))
    exchange.facts = {
        "recommendation_id": answer.recommendation_id,
        "release": answer.release,
        "segment": answer.segment,
        "count": len(answer.item_ids),
        "degraded": trace.degraded,
    }


def counted(
    parts: Parts, request: Request, trace: Trace, answer: Recommendation, release: Release
) -> None:
    """Metrics, pages and the impression log, once the list is on its way."""
    parts.metrics.recommended(request, trace, answer, release)
    hashes = release.catalogue.hashes[answer.items.rows]
    parts.pages.remember(answer.recommendation_id, np.concatenate((trace.shown, hashes)))
    parts.impressions.shown(request, trace, answer, release, parts.clock())
