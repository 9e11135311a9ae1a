"""A public address for a service on this machine, through ngrok's own Python SDK."""

import importlib
import os
import threading
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from planimeter.errors import TunnelFailed

TOKEN_VARIABLE = "NGROK_AUTHTOKEN"  # noqa: S105  the name of the variable, not the token
PATIENCE = 20.0
"""Seconds after which ngrok counts as out of reach."""


@dataclass
class Tunnel:
    """An open tunnel."""

    address: str
    """As ngrok gave it."""
    _ngrok: Any

    @property
    def url(self) -> str:
        """The public address, with no slash at its end."""
        return self.address.rstrip("/")

    def close(self) -> None:
        """Close the tunnel; takes a moment at most, as the process ends anyway."""
        _in_time(lambda: self._ngrok.disconnect(self.address), patience=3.0)


def open_tunnel(host: str, port: int, *, patience: float = PATIENCE) -> Tunnel:
    """Open a public address for the service at `host`:`port`.

    Raises `TunnelFailed` where the SDK or the token is missing, and when ngrok refuses or cannot be reached
    within `patience` seconds.
    """
    ngrok = _sdk()
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise TunnelFailed(
            f"--use-ngrok needs a token in the environment variable {TOKEN_VARIABLE}; get one for free at "
            "https://dashboard.ngrok.com/get-started/your-authtoken"
        )
    outcome = _in_time(lambda: ngrok.forward(f"{host}:{port}", authtoken=token).url(), patience)
    if isinstance(outcome, str):
        return Tunnel(outcome, ngrok)
    if outcome is None:
        reason = f"no answer within {patience:g} s"
    else:
        reason = ", ".join(str(part) for part in outcome.args).replace(token, "…") or type(outcome).__name__
    raise TunnelFailed(
        f"ngrok opened no public address ({reason}); check that this machine reaches the internet and that "
        f"{TOKEN_VARIABLE} holds a valid token"
    )


def _sdk() -> ModuleType:
    try:
        return importlib.import_module("ngrok")
    except ImportError as error:
        raise TunnelFailed("--use-ngrok needs the ngrok package: pip install ngrok") from error


def _in_time(call: Any, patience: float) -> Any:
    """Return what `call` returns or the exception it raises; None where `patience` seconds are not enough.

    The SDK has no timeout of its own, so it runs in a thread that the process does not wait for.
    """
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(call())
        except Exception as error:  # noqa: BLE001  the SDK raises what it likes; the caller reports it
            outcome.append(error)

    thread = threading.Thread(target=run, name="ngrok", daemon=True)
    thread.start()
    thread.join(patience)
    return outcome[0] if outcome else None
