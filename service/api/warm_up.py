"""Runs the read path a few times before anybody asks, so that first answers are not slow."""

from service.api.convert import query_request, recommend_request, similar_request
from service.api.encode import answer_headers, encode_answer
from service.api.parse import parse_body, validate
from service.api.schemas import EventBody, RecommendBody, RecommendQuery, SimilarBody
from service.domain.traces import Trace
from service.wiring import Parts

ROUNDS = 20
TIMEOUT_MS = 1000.0


async def warm_up(parts: Parts) -> None:
    """Asks for lists as a guest: no store is read and nothing is counted.

    Raises:
        NotReady: no release is live.
    """
    limits, now_s = parts.settings.limits, parts.clock()
    item_id = parts.releases.live.catalogue.item_ids[0]
    action = b'{"recent_actions": [{"item_id": "x", "event_type": "view"}]}'
    for _ in range(ROUNDS):
        body = parse_body(RecommendBody, action)
        body.recent_actions[0].item_id = item_id
        trace = Trace("warm-up")
        request = recommend_request(body, limits, parts.releases, TIMEOUT_MS, now_s)
        answer = await parts.pipeline.recommend(request, trace)
        encode_answer(answer, trace, explain=True)
        answer_headers(answer, trace)
    validate(EventBody, {"event_id": "x", "event_type": "view", "user_id": "x", "item_id": "x"})
    query_request(validate(RecommendQuery, {"user_id": "x"}), limits, TIMEOUT_MS)
    similar = validate(SimilarBody, {"item_id": item_id})
    alike = similar_request(similar, limits, parts.releases, TIMEOUT_MS)
    await parts.pipeline.similar(alike, Trace("warm-up"))
