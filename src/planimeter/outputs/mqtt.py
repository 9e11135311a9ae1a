"""MQTT, the extra `mqtt`: each message is published under a prefix of topics, and whether the service is there."""

import importlib.util
import secrets
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from planimeter.errors import InvalidOption, NotReady
from planimeter.outputs.receiver import SECONDS, NotTaken
from planimeter.store.outbox import Message

PORTS = {"mqtt": 1883, "mqtts": 8883}
MEASUREMENTS, STATUS = "measurements", "status"
ONLINE, OFFLINE = "online", "offline"
LONGEST_PREFIX = 200
_AT_LEAST_ONCE = 1
_CONNECTING_SECONDS = 5.0
"""For which a message waits for a connection, beside the pauses between its attempts."""
_RECONNECTING_SECONDS = 15
"""At most, between two tries to connect: a broker that is back is found by then."""
_ENDING_SECONDS = 2.0
_EXAMPLE = "write it as mqtt://broker.example.org/plant/line-3"


@dataclass(frozen=True)
class Broker:
    """Where messages are published."""

    scheme: str
    host: str
    port: int
    prefix: str

    @property
    def shown(self) -> str:
        """The URL, its port always with it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{self.prefix}"


def parse_broker(url: str) -> Broker:
    """Return what an mqtt or mqtts URL names; raises `InvalidOption`."""
    if any(not character.isprintable() or character.isspace() for character in url):
        raise InvalidOption("--mqtt has a space or a character that nobody sees in its address")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidOption(f"--mqtt is no address ({error}); {_EXAMPLE}") from error
    if "@" in parts.netloc:
        raise InvalidOption(
            f"--mqtt at {host!r} has a name or a password in its address, which would be seen in lists of processes; "
            "give --mqtt-user, and the password in PLANIMETER_MQTT_PASSWORD or --mqtt-password-file"
        )
    if parts.scheme not in PORTS or not host:
        raise InvalidOption(
            f"--mqtt is {url[:60]!r}, which is no mqtt:// or mqtts:// with a host; {_EXAMPLE}"
        )
    prefix = unquote(parts.path).strip("/")
    # An empty one behind # or ? is none to urlsplit, and would be left out without a word.
    if set(url) & set("#?") or set(prefix) & set("+#\0") or prefix.startswith("$") or "//" in prefix:
        topic = url.partition("://")[2].partition("/")[2]
        raise InvalidOption(
            f"--mqtt has the topic {topic[:60]!r}: it can have no +, no # and no ?, no empty level, and not begin "
            f"with $; {_EXAMPLE}"
        )
    if not prefix or len(prefix.encode()) > LONGEST_PREFIX:
        raise InvalidOption(
            f"--mqtt has a topic of {len(prefix.encode()):,} bytes, and it takes 1 to {LONGEST_PREFIX}; {_EXAMPLE}"
        )
    return Broker(parts.scheme, host, port or PORTS[parts.scheme], prefix)


class Mqtt:
    """Publishes messages by one broker, over one connection that is made anew where it is lost."""

    def __init__(self, url: str, user: str, password: str | None) -> None:
        """Take the address; raises `InvalidOption`, and `NotReady` where the extra is missing."""
        self._broker = broker = parse_broker(url)
        if importlib.util.find_spec("paho") is None:
            raise NotReady("--mqtt needs paho-mqtt, which is not installed: pip install 'planimeter[mqtt]'")
        from paho.mqtt.client import Client  # noqa: PLC0415  an extra
        from paho.mqtt.enums import CallbackAPIVersion  # noqa: PLC0415

        self.name = broker.shown
        self._connected = threading.Event()
        self._reachable: Callable[[], None] = lambda: None
        self._trouble = "no connection yet"
        self._client = client = Client(CallbackAPIVersion.VERSION2, f"planimeter-{secrets.token_hex(6)}")
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.will_set(f"{broker.prefix}/{STATUS}", OFFLINE, _AT_LEAST_ONCE, retain=True)
        client.reconnect_delay_set(1, _RECONNECTING_SECONDS)
        if user:
            client.username_pw_set(user, password)
        if broker.scheme == "mqtts":
            client.tls_set_context(ssl.create_default_context())

    def open(self, reachable: Callable[[], None], /) -> None:
        """Connect, in the background: a broker that is not there yet may come."""
        self._reachable = reachable
        self._client.connect_async(self._broker.host, self._broker.port)
        self._client.loop_start()

    def send(self, message: Message) -> NotTaken | None:
        """Publish a message; it is taken when the broker says so."""
        if not self._connected.wait(_CONNECTING_SECONDS):
            return self._not_taken(self._trouble)
        told = self._client.publish(f"{self._broker.prefix}/{MEASUREMENTS}", message.body, _AT_LEAST_ONCE)
        try:
            told.wait_for_publish(SECONDS)
            taken = told.is_published()
        except (ValueError, RuntimeError):
            taken = False
        return None if taken else self._not_taken(f"no acknowledgement within {SECONDS:g} s")

    def close(self) -> None:
        """Say that nobody is there any more, and leave."""
        if self._connected.is_set():
            with suppress(ValueError, RuntimeError):  # then the broker says it by itself, as the last will
                self._say(OFFLINE).wait_for_publish(_ENDING_SECONDS)
        self._client.disconnect()
        self._client.loop_stop()

    def _not_taken(self, reason: str) -> NotTaken:
        return NotTaken(f"{self._broker.shown}: {reason}")

    def _say(self, status: str) -> Any:
        return self._client.publish(f"{self._broker.prefix}/{STATUS}", status, _AT_LEAST_ONCE, retain=True)

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._trouble = f"the broker refuses the connection ({reason})"
            return
        self._say(ONLINE)
        self._connected.set()
        self._reachable()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self._connected.is_set():
            self._trouble = f"the connection was lost ({reason})"
        self._connected.clear()
