"""How many requests one key, or one address, may send: one client does not take the service from the others."""

import http.client
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask

from planimeter.service.app import create_app
from planimeter.service.models import Models
from planimeter.service.rates import network_of
from planimeter.settings import Settings
from planimeter.store import Store
from serving import serve
from test_api import MEASUREMENTS, assert_problem

Make = Callable[..., Flask]


@pytest.fixture
def make(settings: Settings, store: Store, models: Models) -> Make:
    return lambda **more: create_app(settings.model_copy(update={"limit": "3/hour", **more}), store, models)


def test_each_key_has_its_own_count_and_is_told_when_to_come_back(make: Make, store: Store) -> None:
    client = make(host="0.0.0.0").test_client()  # noqa: S104
    line, office = ({"X-API-Key": store.keys.add(name, "read")} for name in ("line", "office"))
    for _ in range(3):
        assert client.get(MEASUREMENTS, headers=line).status_code == 200
    for path in (MEASUREMENTS, "/measurements", "/api/v1/models"):
        answer = client.get(path, headers={**line, "Accept": "application/json"})
        assert_problem(answer, 429, "too_many_requests", "this key")
        assert 3000 < int(answer.headers["Retry-After"]) <= 3601
    assert client.get(MEASUREMENTS, headers=office).status_code == 200
    for path in ("/healthz", "/readyz", "/static/cards.css"):
        with client.get(path, headers=line) as free:
            assert free.status_code == 200


def test_without_keys_each_address_has_its_own_count(make: Make) -> None:
    client = make(host="0.0.0.0", insecure_no_auth=True).test_client()  # noqa: S104
    for _ in range(3):
        assert client.get(MEASUREMENTS, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200
    refused = client.get(MEASUREMENTS, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert_problem(refused, 429, "too_many_requests", "your address")
    assert client.get(MEASUREMENTS, environ_base={"REMOTE_ADDR": "192.0.2.2"}).status_code == 200


@pytest.mark.parametrize(("trusted", "third"), [("127.0.0.1", 200), ("", 429), ("192.0.2.9", 429)])
def test_who_sends_is_what_a_trusted_proxy_says_and_no_other(
    tmp_path: Path, trusted: str, third: int
) -> None:
    with serve(tmp_path, use_ngrok=True, insecure_no_auth=True, limit="2/hour", trusted_proxy=trusted) as url:
        asked = [ask(url, said) for said in ("198.51.100.1", "198.51.100.1", "1.1.1.1, 198.51.100.2")]
        assert asked == [200, 200, third]
        assert ask(url, "1.1.1.1, 198.51.100.1") == 429


def ask(url: str, forwarded_for: str) -> int:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    try:
        connection.request("GET", "/api/v1/models", headers={"X-Forwarded-For": forwarded_for})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("more", [{}, {"host": "0.0.0.0", "insecure_no_auth": True, "limit": "none"}])  # noqa: S104
def test_nobody_is_counted_on_this_machine_or_where_that_is_wanted(
    make: Make, more: dict[str, object]
) -> None:
    client = make(**more).test_client()
    assert {client.get(MEASUREMENTS).status_code for _ in range(8)} == {200}


def test_an_ipv6_address_stands_for_its_network() -> None:
    assert network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8:1:2:aaaa::1") == network_of("2001:db8:1:2:bbbb::2") == "2001:db8:1:2::/64"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("") == ""


@pytest.mark.parametrize("limit", ["", "0/minute", "1/minute;2/hour", "fast", "1/fortnight"])
def test_a_limit_that_is_none_is_refused_at_start(limit: str) -> None:
    with pytest.raises(ValueError, match="limit"):
        Settings(limit=limit)


def test_an_address_of_a_proxy_is_one() -> None:
    with pytest.raises(ValueError, match="trusted_proxy"):
        Settings(trusted_proxy="proxy.example.org")
