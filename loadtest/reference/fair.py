"""FAIR: a competent service without any of our features.

A Starlette route, one Redis call with packed values, tuned onnxruntime and hnswlib, orjson, no log
lines: `uvicorn loadtest.reference.fair:app --no-access-log`. `/hello` does nothing at all.
"""

import os

import orjson
import redis.asyncio as redis
from fastapi import FastAPI
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.requests import Request
from starlette.responses import Response

from loadtest.reference.bundle import open_bundle, session_key, unpack

bundle = open_bundle(is_tuned=True)
client = redis.from_url(os.environ["REDIS_URL"], retry=Retry(NoBackoff(), 0))
app = FastAPI()


def as_json(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")


async def recommend(request: Request) -> Response:
    wanted = orjson.loads(await request.body())
    vector = bundle.embed(unpack(await client.get(session_key(wanted["user_id"]))))
    labels, distances = bundle.index.knn_query(vector, k=wanted["k"], num_threads=1)
    ids = bundle.item_ids
    scores = (1.0 - distances[0]).tolist()
    found = zip(labels[0].tolist(), scores, strict=True)
    return as_json({"items": [{"item_id": ids[row], "score": score} for row, score in found]})


async def hello(_request: Request) -> Response:
    return as_json({"status": "ready"})


app.router.add_route("/v1/recommend", recommend, methods=["POST"])
app.router.add_route("/hello", hello, methods=["GET", "POST"])
app.router.add_route("/readyz", hello, methods=["GET"])
