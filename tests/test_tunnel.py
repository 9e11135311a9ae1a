"""The tunnel against stand-ins for ngrok's SDK: its own network is not ours to call from a test."""

import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from planimeter.errors import TunnelFailed
from planimeter.service.tunnel import open_tunnel


class FakeListener:
    def url(self) -> str:
        return "https://some-name.ngrok.example/"


def install(monkeypatch: pytest.MonkeyPatch, forward: Callable[..., Any]) -> list[str]:
    """Put a module in the place of ngrok's SDK; returns the list of addresses it was asked to close."""
    closed: list[str] = []
    module = ModuleType("ngrok")
    vars(module).update(forward=forward, disconnect=closed.append)
    monkeypatch.setitem(sys.modules, "ngrok", module)
    monkeypatch.setenv("NGROK_AUTHTOKEN", "token-of-a-person")
    return closed


def test_an_open_tunnel_has_a_url_without_a_slash_and_is_closed_by_the_address_the_sdk_gave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[object, ...]] = []

    def forward(address: str, *, authtoken: str) -> FakeListener:
        asked.append((address, authtoken))
        return FakeListener()

    closed = install(monkeypatch, forward)
    tunnel = open_tunnel("127.0.0.1", 8000)
    assert tunnel.url == "https://some-name.ngrok.example"
    assert asked == [("127.0.0.1:8000", "token-of-a-person")]
    tunnel.close()
    assert closed == ["https://some-name.ngrok.example/"]


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ngrok", None)
    with pytest.raises(TunnelFailed, match="pip install ngrok"):
        open_tunnel("127.0.0.1", 8000)


@pytest.mark.parametrize("token", [None, "", "  "])
def test_a_missing_token_is_named_with_the_place_to_get_one(
    monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    install(monkeypatch, lambda *_, **__: FakeListener())
    monkeypatch.delenv("NGROK_AUTHTOKEN")
    if token is not None:
        monkeypatch.setenv("NGROK_AUTHTOKEN", token)
    with pytest.raises(TunnelFailed, match=r"NGROK_AUTHTOKEN.*dashboard\.ngrok\.com"):
        open_tunnel("127.0.0.1", 8000)


def test_a_refusal_is_told_in_ngroks_words_but_never_tells_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, authtoken: str) -> FakeListener:
        raise ValueError("failed to connect session", f"bad token {authtoken}", "ERR_NGROK_105")

    install(monkeypatch, refuse)
    with pytest.raises(TunnelFailed, match="failed to connect session, bad token …, ERR_NGROK_105") as caught:
        open_tunnel("127.0.0.1", 8000)
    assert "token-of-a-person" not in str(caught.value)


def test_silence_ends_after_the_time_given(monkeypatch: pytest.MonkeyPatch) -> None:
    silence = threading.Event()
    install(monkeypatch, lambda *_, **__: silence.wait(30))
    try:
        with pytest.raises(TunnelFailed, match=r"no answer within 0\.05 s"):
            open_tunnel("127.0.0.1", 8000, patience=0.05)
    finally:
        silence.set()


def test_the_real_sdk_has_what_is_called() -> None:
    ngrok = pytest.importorskip("ngrok", reason="needs the ngrok extra")
    assert callable(ngrok.forward)
    assert callable(ngrok.disconnect)
    assert callable(ngrok.Listener.url)
