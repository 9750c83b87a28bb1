"""NAIVE: the service that a tutorial leads to, on default flags.

A response model, `@app.middleware("http")`, three Redis calls one after the other with JSON values,
onnxruntime and hnswlib as they come, a Python filter callback.
Run with `uvicorn loadtest.reference.naive:app`.
"""

import json
import os
import time
from collections.abc import Awaitable, Callable

import redis.asyncio as redis
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from loadtest.reference.bundle import open_bundle

bundle = open_bundle(is_tuned=False)
client = redis.from_url(os.environ["REDIS_URL"])
app = FastAPI()


class Wanted(BaseModel):
    user_id: str
    k: int = 20


class Item(BaseModel):
    item_id: str
    score: float


class Answer(BaseModel):
    items: list[Item]


@app.middleware("http")
async def add_process_time(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    started = time.perf_counter()
    response = await call_next(request)
    response.headers["X-Process-Time"] = str(time.perf_counter() - started)
    return response


@app.post("/v1/recommend", response_model=Answer)
async def recommend(wanted: Wanted) -> Answer:
    history = json.loads(await client.get(f"naive:{wanted.user_id}:history") or "[]")
    purchased = set(json.loads(await client.get(f"naive:{wanted.user_id}:purchased") or "[]"))
    sold_out = set(json.loads(await client.get("naive:sold_out") or "[]"))
    vector = bundle.embed([(item_id, code, at_s) for item_id, code, at_s in history])
    hidden = {bundle.rows[item_id] for item_id in purchased | sold_out if item_id in bundle.rows}
    labels, distances = bundle.index.knn_query(
        vector, k=wanted.k, filter=lambda row: row not in hidden
    )
    items = [
        Item(item_id=bundle.item_ids[row], score=1.0 - distance)
        for row, distance in zip(labels[0], distances[0], strict=True)
    ]
    return Answer(items=items)


@app.get("/readyz")
def ready() -> dict[str, str]:
    return {"status": "ready"}
