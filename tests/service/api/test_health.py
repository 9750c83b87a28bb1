"""Probes, the scrape, and the list of releases."""

import httpx

from tests.service.api.world import World


async def test_alive_whatever_else_is_down(world: World, client: httpx.AsyncClient) -> None:
    world.breaker.trip()
    world.releases.release = None
    for path in ("/livez", "/healthz", "/v2/health/live"):
        response = await client.get(path)
        assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_ready_while_a_release_is_live(client: httpx.AsyncClient) -> None:
    for path in ("/readyz", "/v2/health/ready"):
        response = await client.get(path)
        assert response.status_code == 200
        assert response.json() == {
            "status": "ready",
            "release": "tiny",
            "redis": "up",
            "probed_at_s": None,
            "mismatch": None,
        }


async def test_redis_down_is_told_and_changes_nothing(
    world: World, client: httpx.AsyncClient
) -> None:
    world.breaker.trip()
    response = await client.get("/readyz")
    assert (response.status_code, response.json()["redis"]) == (200, "down")


async def test_not_ready_without_a_release(world: World, client: httpx.AsyncClient) -> None:
    world.releases.release = None
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "2"
    assert response.json()["redis"] == "up"


async def test_probes_do_not_drown_the_request_metrics(
    world: World, client: httpx.AsyncClient
) -> None:
    for path in ("/livez", "/readyz", "/healthz", "/v2/health/live", "/metrics", "/docs"):
        assert (await client.get(path)).status_code == 200
    scrape = (await client.get("/metrics")).text
    assert "retrieval_http_requests_total{" not in scrape
    assert world.sample("retrieval_http_requests_in_progress") == 0


async def test_the_scrape_is_prometheus_text(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE retrieval_stage_duration_seconds histogram" in response.text
