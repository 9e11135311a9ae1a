"""Who may do what, where others than the people of this machine reach the service.

A program sends its key with each request. A browser is asked once, and keeps a signed cookie that no script can read
and no other site can send.
"""

import ipaddress
import secrets
import time
from collections import deque

from flask import Flask, Response, current_app, g, redirect, render_template, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.exceptions import Forbidden, TooManyRequests, Unauthorized
from werkzeug.wrappers import Response as AnyResponse

from planimeter.errors import NotReady
from planimeter.service.caller import remember_caller
from planimeter.service.context import context
from planimeter.service.links import link
from planimeter.service.origin import from_other_site
from planimeter.service.problems import wants_json
from planimeter.service.roles import Needed, needed_by, needs
from planimeter.settings import Settings
from planimeter.store.keys import AccessKey

COOKIE = "planimeter_key"
COOKIE_SECONDS = 30 * 86_400
MOST_FAILURES = 20
"""Wrong keys of one address in a minute; then it has to wait."""


def needs_key(settings: Settings) -> bool:
    """Say whether others than the people of this machine may reach the service, so that it must know who asks."""
    return not settings.insecure_no_auth and reached_by_others(settings)


def reached_by_others(settings: Settings) -> bool:
    """Say whether others than the people of this machine may reach the service."""
    return settings.use_ngrok or bool(settings.trusted_proxy) or not is_loopback(settings.host)


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def refuse_without_keys(settings: Settings, known: list[AccessKey]) -> None:
    """Raise `NotReady` where keys are needed and there are none."""
    if needs_key(settings) and not any(key.revoked_at is None for key in known):
        proxy = (
            f"behind the proxy {settings.trusted_proxy}" if settings.trusted_proxy else f"on {settings.host}"
        )
        where = "through ngrok" if settings.use_ngrok else proxy
        raise NotReady(
            f"a service {where} is open to others, and there is no key yet: make one with planimeter keys add NAME "
            "--role admin, or leave it open to everybody with --insecure-no-auth"
        )


class Guard:
    """Knows who sends a request, and lets it through or not."""

    def __init__(self) -> None:
        self._signer = URLSafeTimedSerializer(secrets.token_hex(32), salt=COOKIE)
        self._failures: dict[str, deque[float]] = {}

    def add_pages(self, app: Flask) -> None:
        """Add the page that asks for a key."""
        app.add_url_rule("/key", "ask_for_key", self.ask)
        app.add_url_rule("/key", "take_key", self.take, methods=["POST"])

    def identify(self) -> None:
        """Find out whose key a request carries, where one is needed: `g.key` is None without one that is known."""
        g.needed = self._needed()
        g.key = None if g.needed == "open" else self._key()

    def check(self) -> AnyResponse | None:
        """Let a request through, or answer what is missing."""
        if g.needed == "open":
            return None
        if g.key is None:
            if request.method == "GET" and not wants_json():
                return redirect(link("ask_for_key"), 303)
            raise Unauthorized(
                "this service asks for a key: send it as Authorization: Bearer … or as X-API-Key"
            )
        remember_caller(g.key)
        if not g.key.may(g.needed):
            raise Forbidden(f"the key of {g.key.name!r} has the role {g.key.role}, and this needs {g.needed}")
        return None

    @staticmethod
    def _needed() -> Needed:
        if not needs_key(context().settings) or request.endpoint is None:
            return "open"
        # A view that says nothing is for nobody but an admin; tests/test_access.py finds it.
        return needed_by(current_app.view_functions[request.endpoint]) or "admin"

    @needs("open")
    def ask(self) -> str:
        """Show where a key is entered."""
        return render_template("key.html", wrong="")

    @needs("open")
    def take(self) -> AnyResponse:
        """Take the key of a form, and remember it in a cookie."""
        if from_other_site():
            raise Forbidden("this form came from another site")
        given = request.form.get("key", "").strip()
        key = self._recognised(given)
        if key is None:
            return Response(render_template("key.html", wrong="That is no key of this service."), 401)
        answer = redirect(link("pages.home"), 303)
        answer.set_cookie(
            COOKIE, self._signer.dumps(key.id), max_age=COOKIE_SECONDS, httponly=True, samesite="Strict"
        )
        return answer

    def _key(self) -> AccessKey | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
        if not given and request.authorization is not None and request.authorization.type == "basic":
            given = (
                request.authorization.password or ""
            )  # of programs that know no other way, such as Label Studio
        if given:
            return self._recognised(given)
        try:
            return context().store.keys.usable(
                self._signer.loads(request.cookies[COOKIE], max_age=COOKIE_SECONDS)
            )
        except (KeyError, BadSignature):
            return None

    def _recognised(self, given: str) -> AccessKey | None:
        """Return what is known of a key; an address that guesses is made to wait."""
        failures = self._failures.setdefault(request.remote_addr or "", deque(maxlen=MOST_FAILURES))
        now = time.monotonic()
        if len(failures) == MOST_FAILURES and now - failures[0] < 60:
            raise TooManyRequests("too many wrong keys came from your address; wait a minute", retry_after=60)
        found = context().store.keys.recognise(given)
        if found is None:
            failures.append(now)
            if len(self._failures) > 10_000:
                self._failures.clear()
        return found
