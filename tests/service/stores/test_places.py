import pytest

from service.errors import SetupInvalid
from service.settings.stores import REDIS_SCHEMES
from service.stores.client import RedisClient, RedisOptions
from service.stores.cluster import RedisCluster, open_client
from service.stores.places import Kind, Place


@pytest.mark.parametrize("url", ["http://h", "memcached://h", "localhost", "redis+proxy://h", ""])
def test_other_schemes_are_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(SetupInvalid, match=r"use redis://host:6379/0, rediss://") as refused:
        Place.of(url)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://h:port/0", "port"),
        ("redis://h:1/0?db=many", "db"),
        ("redis+sentinel://h", "name of the master is missing"),
        ("redis+sentinel:///mymaster", "a host is missing"),
        ("redis+sentinel://a:1,,b:2/mymaster", "a host is missing"),
        ("redis+sentinel://a:b:c/mymaster", "Port"),
        ("redis+cluster://", "a host is missing"),
        ("redis+cluster://h:70000", "port|Port"),
        ("redis+cluster://h/3", "a cluster has no database 3"),
    ],
)
def test_an_unreadable_url_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(SetupInvalid, match=f"cannot be read: .*({why})"):
        Place.of(url)


@pytest.mark.parametrize("url", ["redis://h?nonsense=1", "redis+cluster://h?nonsense=1"])
def test_an_option_that_redis_does_not_have_is_refused(url: str) -> None:
    with pytest.raises(SetupInvalid, match=r"cannot be read: .*nonsense"):
        open_client(RedisOptions(url))


def test_sentinels_are_read_with_the_name_of_the_master() -> None:
    place = Place.of("redis+sentinel://me:p%40ss@a:1,b,[::1]:3/shop/2?sentinel_password=s")
    assert place.kind is Kind.SENTINEL
    assert place.hosts == (("a", 1), ("b", 26_379), ("::1", 3))
    assert (place.master, place.sentinel_password) == ("shop", "s")
    assert place.login == {"username": "me", "password": "p@ss", "db": 2}


def test_the_nodes_of_a_cluster_are_read() -> None:
    place = Place.of("rediss+cluster://:secret@a:7000,b?ssl_ca_certs=/ca.pem")
    assert (place.kind, place.scheme) == (Kind.CLUSTER, "rediss")
    assert place.hosts == (("a", 7000), ("b", 6379))
    assert place.at("c", 9).login == {
        "host": "c",
        "port": 9,
        "password": "secret",
        "ssl_ca_certs": "/ca.pem",
    }


def test_no_password_is_shown() -> None:
    for url in ("redis://:secret@h", "redis+sentinel://:secret@h/m?sentinel_password=secret"):
        assert "secret" not in repr(Place.of(url))


@pytest.mark.parametrize("scheme", REDIS_SCHEMES)
def test_settings_and_stores_understand_the_same_schemes(scheme: str) -> None:
    tail = {"sentinel": "/shop", "cluster": ""}.get(scheme.partition("+")[2], "/0")
    client = open_client(RedisOptions(f"{scheme}://host:1{tail}"))
    assert isinstance(client, RedisCluster if tail == "" else RedisClient)
