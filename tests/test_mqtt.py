"""MQTT with a real broker, mosquitto, that is killed and started again as the service is."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from receivers import wait
from test_server import OVERLAPPING, Start, measure, start, url_in
from test_webhooks import FOLDERS, metrics, picture

__all__ = ["start"]

pytest.importorskip("paho.mqtt.client", reason="needs the extra mqtt")
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
TOPIC = "plant/line 3"


class Broker:
    """A broker that can be killed and started again on its port."""

    def __init__(self, folder: Path, *more: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._folder = folder
        lines = more or ("allow_anonymous true",)
        (folder / "mosquitto.conf").write_text(
            "\n".join((f"listener {self.port} 127.0.0.1", "user root", *lines))
        )

    @property
    def log(self) -> str:
        return (self._folder / "mosquitto.log").read_text("utf-8")

    @contextmanager
    def running(self) -> Iterator[str]:
        """Run it; yields where it is, without the scheme."""
        assert MOSQUITTO
        with (self._folder / "mosquitto.log").open("ab") as log:
            command = [MOSQUITTO, "-c", str(self._folder / "mosquitto.conf"), "-v"]
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait(self._listens, lambda: self.log)
            yield f"127.0.0.1:{self.port}"
        finally:
            process.kill()
            process.wait()

    def _listens(self) -> bool:
        with socket.socket() as connection, contextlib.suppress(OSError):
            connection.connect(("127.0.0.1", self.port))
            return True
        return False


class Subscriber:
    """What came by a broker; it comes back by itself when the broker does, and misses nothing meanwhile."""

    def __init__(self, port: int, user: str = "", password: str = "") -> None:
        self.events: list[Any] = []
        self.status: list[str] = []
        self.subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = self._take
        self._client.reconnect_delay_set(1, 1)
        if user:
            self._client.username_pw_set(user, password)
        self._client.connect_async("127.0.0.1", port)

    def _subscribe(self, *_: Any) -> None:
        self._client.subscribe("plant/#", 1)

    def _take(self, _client: Any, _data: Any, message: Any) -> None:
        if message.topic == f"{TOPIC}/status":
            self.status.append(message.payload.decode())
        else:
            assert (message.topic, message.qos) == (f"{TOPIC}/measurements", 1)
            self.events.append(json.loads(message.payload))

    @property
    def ids(self) -> list[str]:
        return [event["data"]["id"] for event in self.events]

    @contextmanager
    def listening(self) -> Iterator["Subscriber"]:
        self._client.loop_start()
        try:
            assert self.subscribed.wait(60)
            yield self
        finally:
            self._client.disconnect()
            self._client.loop_stop()
            self._client._reset_sockets()  # its own wake-up pipe, which it leaves open


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    need_mosquitto()
    return Broker(tmp_path)


def need_mosquitto() -> None:
    if MOSQUITTO is None:
        if "mosquitto" in os.environ.get("PLANIMETER_TEST_REQUIRE", ""):
            pytest.fail("mosquitto is missing, and PLANIMETER_TEST_REQUIRE says that it must be there")
        pytest.skip("mosquitto is not installed")


def test_each_measurement_is_published_and_whether_the_service_is_there(start: Start, broker: Broker) -> None:
    with broker.running() as at, Subscriber(broker.port).listening() as seen:
        process = start(*FOLDERS, "--mqtt", f"mqtt://{at}/plant/line%203")
        url = url_in(process.message())
        wait(lambda: seen.status == ["online"], lambda: seen.status)
        measured = measure(url, OVERLAPPING)
        wait(lambda: len(seen.events) == 1, lambda: broker.log)
        status, _, err = process.stop()
        assert status == 0, err
        wait(lambda: seen.status == ["online", "offline"], lambda: seen.status)

        process = start(*FOLDERS, "--mqtt", f"mqtt://{at}/plant/line%203")
        process.message()
        wait(lambda: len(seen.status) == 3, lambda: seen.status)
        process.stop(signal.SIGKILL)  # the broker says it then: the last will
        wait(lambda: seen.status[2:] == ["online", "offline"], lambda: seen.status)
    (event,) = seen.events
    assert event["type"] == "measurement.created"
    assert event["data"]["id"] == measured["id"]
    assert event["data"]["coverage"]["percent_masked"] == 37.5


def test_nothing_is_lost_where_the_broker_and_the_service_are_killed(start: Start, broker: Broker) -> None:
    options = (*FOLDERS, "--mqtt", f"mqtt://127.0.0.1:{broker.port}/{TOPIC.replace(' ', '%20')}")
    process = start(*options)
    url = url_in(process.message())  # which starts without a broker too
    ids = [measure(url, picture(number + 1))["id"] for number in range(3)]
    with broker.running(), Subscriber(broker.port).listening() as seen:
        wait(lambda: set(seen.ids) == set(ids), lambda: broker.log)
    ids += [measure(url, picture(number + 4))["id"] for number in range(3)]
    wait(lambda: metrics(url)["waiting"] == 3, lambda: metrics(url))
    process.stop(signal.SIGKILL)
    url = url_in(start(*options).message())
    subscriber = Subscriber(broker.port)
    with broker.running(), subscriber.listening() as later:
        wait(lambda: metrics(url)["waiting"] == 0, lambda: metrics(url))
        wait(lambda: set(later.ids) >= set(ids[3:]), lambda: broker.log)
    assert set(later.ids) <= set(ids)


def test_the_password_stands_in_a_file_and_a_wrong_one_is_told(start: Start, tmp_path: Path) -> None:
    need_mosquitto()
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "line", "s3cret"], check=True, capture_output=True
    )
    broker = Broker(tmp_path, "allow_anonymous false", f"password_file {passwords}")
    (tmp_path / "right").write_text("s3cret\n")
    with broker.running() as at, Subscriber(broker.port, "line", "s3cret").listening() as seen:
        options = (*FOLDERS, "--mqtt", f"mqtt://{at}/plant/line%203", "--mqtt-user", "line")
        wrong = start(*options, PLANIMETER_MQTT_PASSWORD="guessed")  # noqa: S106  that is the point
        url = url_in(wrong.message())
        measure(url, OVERLAPPING)
        wait(lambda: metrics(url)["failed"] > 0, lambda: metrics(url))
        _, _, err = wrong.stop()
        assert "the broker refuses the connection (Not authorized)" in err
        assert "guessed" not in err
        assert seen.events == []
        start(*options, "--mqtt-password-file", "right").message()
        wait(lambda: len(seen.events) == 1, lambda: broker.log)


def test_mqtts_trusts_only_whom_this_machine_trusts(start: Start, tmp_path: Path) -> None:
    need_mosquitto()
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    made = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key -out certificate"
    )
    alternative = "-addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    subprocess.run(f"{made} {alternative}".split(), cwd=tmp_path, check=True, capture_output=True)
    broker = Broker(
        tmp_path, f"certfile {tmp_path}/certificate", f"keyfile {tmp_path}/key", "allow_anonymous true"
    )
    with broker.running() as at:
        options = (*FOLDERS, "--mqtt", f"mqtts://{at}/plant/line%203")
        url = url_in(start(*options).message())
        measure(url, OVERLAPPING)
        wait(lambda: metrics(url)["failed"] > 0, lambda: metrics(url))
        trusting = url_in(start(*options, SSL_CERT_FILE=str(tmp_path / "certificate")).message())
        wait(lambda: metrics(trusting)["sent"] == 1, lambda: broker.log)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['paho'] = None; from planimeter.commands import main; "
        "main(['serve', '--mqtt', 'mqtt://broker/x'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'planimeter[mqtt]'" in done.stderr
    assert "Traceback" not in done.stderr
