"""Webhooks: a service that is killed, receivers that are slow, gone and back, and messages that none of them loses."""

import base64
import contextlib
import json
import re
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import numpy as np
import pytest
from standardwebhooks import Webhook

from databases import database_url, engine_of
from fakes import blocks, encoded
from planimeter.details import Details
from planimeter.outputs.payload import write_event
from planimeter.store import Filter, outbox
from receivers import Received, Receiver, wait
from stored import add, execute_sql, open_store
from test_server import MEASUREMENTS, OVERLAPPING, Start, measure, request, start, url_in

__all__ = ["start"]

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
FOLDERS = ("--upload-folder", "in", "--output-folder", "out", "--database", "sqlite:///db/p.db")
DATABASE = "db/p.db"


def places(home: Path) -> tuple[str, ...]:
    """Return the options for a store whose records are where the tests keep them now."""
    (home / DATABASE).parent.mkdir(exist_ok=True)
    return (*FOLDERS[:-1], database_url(home, DATABASE))


def picture(number: int) -> bytes:
    return encoded(blocks(red=(0, 0, number, 10)))


def metrics(url: str) -> dict[str, float]:
    """Return the metrics of messages, by name; there is one receiver."""
    text = request(f"{url}/metrics")[2].decode()
    found = re.findall(
        r"^planimeter_messages_(\w+?)(?:_total)?\{receiver=\"([^\"]+)\"\} (\S+)$", text, re.MULTILINE
    )
    return {name: float(value) for name, _, value in found}


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def test_each_measurement_is_told_and_signed_as_the_standard_says(start: Start, receiver: Receiver) -> None:
    with receiver.listening() as address:
        process = start("--webhook", address, PLANIMETER_WEBHOOK_SECRET=SECRET)
        started = process.message()
        url = url_in(started)
        assert re.search(rf"Tells +http://127.0.0.1:{receiver.port} \([0-9a-f]{{8}}\)\n", started)
        details = "?filename=strip%2017.png&lot=L%207&sample=3&tags=night,line"
        status, _, body = request(
            f"{url}{MEASUREMENTS}{details}", "POST", OVERLAPPING, {"Content-Type": "image/png"}
        )
        assert status == 201, body
        (message,) = receiver.wait_for(1)
        wait(lambda: metrics(url)["sent"] == 1, lambda: metrics(url))
        seen = metrics(url)
        _, out, err = process.stop()
    event = Webhook(SECRET).verify(message.body, message.headers)
    measured = json.loads(body)
    assert event["type"] == "measurement.created"
    assert message.path == "/hooks/T0P?token=s3cret"
    assert message.headers["content-type"] == "application/json"
    data = event["data"]
    assert data["url"] == f"/api/v1/measurements/{measured['id']}"
    same = ("id", "created_at", "lot", "sample", "operator", "note", "tags", "batch", "model", "notes")
    assert {name: data[name] for name in same} == {name: measured[name] for name in same}
    assert data["image"] == {name: value for name, value in measured["image"].items() if name != "url"}
    assert data["coverage"]["percent_masked"] == 37.5
    kept = {name: value for name, value in measured["coverage"].items() if name != "counted"}
    assert data["coverage"] == kept
    assert data["options"]["score_threshold"] == measured["options"]["score_threshold"]
    assert data["instance_count"] == 2
    assert {"profile", "verdict", "rules"} <= set(data)
    assert (seen["sent"], seen["failed"], seen["waiting"]) == (1, 0, 0)
    for secret in (SECRET, "s3cret", "T0P"):
        assert secret not in started + out + err


def test_the_lines_of_the_documentation_verify_a_message(start: Start, receiver: Receiver) -> None:
    page = (Path(__file__).parents[1] / "docs" / "outputs.md").read_text("utf-8")
    (lines,) = re.findall(r"```python\n(import base64.*?)```", page, re.DOTALL)
    documented: dict[str, Any] = {}
    exec(lines, documented)  # noqa: S102  the lines of our own page
    with receiver.listening() as address:
        measure(url_in(start("--webhook", address, PLANIMETER_WEBHOOK_SECRET=SECRET).message()), OVERLAPPING)
        (message,) = receiver.wait_for(1)
    assert documented["verify"](SECRET, message.headers, message.body)
    assert not documented["verify"](SECRET, message.headers, message.body + b" ")
    stale = message.headers | {"webhook-timestamp": "1600000000"}
    assert not documented["verify"](SECRET, stale, message.body)


def test_what_changes_is_told_too(start: Start, receiver: Receiver) -> None:
    with receiver.listening() as address:
        url = url_in(start("--webhook", address, PLANIMETER_WEBHOOK_SECRET=SECRET).message())
        at = f"{url}{MEASUREMENTS}/{measure(url, OVERLAPPING)['id']}"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for number, (path, body) in enumerate(
            (
                ("details?lot=A", b""),
                ("threshold?score_threshold=0.7", b""),
                ("scale?pixel_size=2&unit=um", b""),
                ("region", b'region={"include": [[[0, 0], [31, 0], [31, 31], [0, 31]]]}'),
            )
        ):
            status, _, answer = request(f"{at}/{path}", "PUT", body, form)
            assert status == 200, answer
            receiver.wait_for(number + 2)
        correction = b'{"after": 0, "reject": [1], "complete": true}'
        status, _, answer = request(
            f"{at}/corrections", "POST", correction, {"Content-Type": "application/json"}
        )
        assert status == 201, answer
        assert request(at, "DELETE")[0] == 204
        created, lot, threshold, scale, region, corrected = [each.event for each in receiver.wait_for(6)]
    assert (region["data"]["reviewed"], region["data"]["corrected_percent_masked"]) == (False, None)
    assert (corrected["data"]["reviewed"], corrected["data"]["corrected_percent_masked"]) == (True, 0.0)
    assert created["type"] == "measurement.created"
    assert {each["type"] for each in (lot, threshold, scale, region, corrected)} == {"measurement.changed"}
    assert (created["data"]["lot"], lot["data"]["lot"]) == (None, "A")
    percents = [
        each["data"]["coverage"]["percent_masked"] for each in (created, lot, threshold, scale, region)
    ]
    assert percents == [37.5, 37.5, 25.0, 25.0, 100.0]
    assert threshold["data"]["kept_threshold"] == 0.7
    assert scale["data"]["coverage"]["area_masked"] == 1024 * 4
    assert len({each.headers["webhook-id"] for each in receiver.taken}) == 6
    assert lot["data"]["created_at"] == created["data"]["created_at"] < lot["timestamp"]


def test_the_verdict_of_a_profile_is_told_and_so_is_one_that_changes(
    start: Start, receiver: Receiver
) -> None:
    with receiver.listening() as address:
        url = url_in(start("--webhook", address, PLANIMETER_WEBHOOK_SECRET=SECRET).message())
        rules = {"rules": [{"figure": "percent_masked", "at_most": 30}]}
        as_json = {"Content-Type": "application/json"}
        assert request(f"{url}/api/v1/profiles/strip", "PUT", json.dumps(rules).encode(), as_json)[0] == 200
        png = {"Content-Type": "image/png"}
        body = request(f"{url}{MEASUREMENTS}?profile=strip", "POST", OVERLAPPING, png)[2]
        measured = json.loads(body)
        at = f"{url}{MEASUREMENTS}/{measured['id']}/threshold?score_threshold=0.7"
        assert request(at, "PUT")[0] == 200
        created, changed = [each.event["data"] for each in receiver.wait_for(2)]
    for name in ("profile", "verdict", "rules"):
        assert created[name] == measured[name]
    assert (created["verdict"], created["rules"][0]["value"], created["profile"]["version"]) == (
        "fail",
        37.5,
        1,
    )
    assert (changed["verdict"], changed["rules"][0]["value"]) == ("pass", 25.0)


@pytest.mark.both_databases
@pytest.mark.usefixtures("records_in")
def test_nothing_is_lost_where_the_receiver_and_the_service_are_killed(
    start: Start, receiver: Receiver, tmp_path: Path
) -> None:
    with receiver.listening() as address:
        pass  # now nobody listens there
    options = (*places(tmp_path), "--webhook", address, "--webhook-secret-file", "secret")
    (tmp_path / "secret").write_text(SECRET + "\n")
    ids = []
    for turn in range(3):
        process = start(*options)
        url = url_in(process.message())
        ids += [measure(url, picture(10 * turn + number + 1))["id"] for number in range(3)]
        if turn == 0:
            wait(lambda: metrics(url)["failed"] > 0, lambda: metrics(url))  # noqa: B023  called at once
            assert metrics(url)["waiting"] == 3
        if turn == 1:  # it is there for a moment, and then gone again
            with receiver.listening():
                receiver.wait_for(3)
        process.stop(signal.SIGKILL)
    process = start(*options)
    url = url_in(process.message())
    with receiver.listening():
        # What the killed ones had claimed is free after a minute; the rest comes at once.
        _forget_claims(tmp_path)
        wait(lambda: {each.measurement for each in receiver.taken} == set(ids), lambda: receiver.taken)
        wait(lambda: metrics(url)["waiting"] == 0, lambda: metrics(url))
    by_measurement: dict[str, set[str]] = {}
    for each in receiver.came:
        Webhook(SECRET).verify(each.body, each.headers)
        by_measurement.setdefault(each.measurement, set()).add(each.headers["webhook-id"])
    assert {len(found) for found in by_measurement.values()} == {1}  # the same id each time that it is sent


def _forget_claims(home: Path) -> None:
    """Have the time go by for which a killed service had claimed its messages."""
    engine = engine_of(home, DATABASE)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE outbox SET claimed_until = NULL")


def test_a_receiver_that_hangs_holds_up_neither_measuring_nor_another_receiver(start: Start) -> None:
    hanging, quick, released = Receiver(), Receiver(), threading.Event()

    def hang(_: Received) -> tuple[int, dict[str, str]]:
        released.wait(30)
        return 204, {}

    hanging.say = hang
    with hanging.listening() as one, quick.listening() as other:
        process = start("--webhook", one, "--webhook", other, PLANIMETER_WEBHOOK_SECRET=SECRET)
        url = url_in(process.message())
        ids = [measure(url, picture(number + 1))["id"] for number in range(5)]
        assert [each.measurement for each in quick.wait_for(5)] == ids
        assert len(hanging.came) == 1
        status, _, err = process.stop()  # neither does it hold up the end
        released.set()
    assert status == 0, err
    assert "Traceback" not in err


def test_a_message_is_sent_again_with_its_id_until_it_is_taken_and_no_redirect_is_followed(
    start: Start, receiver: Receiver
) -> None:
    elsewhere = Receiver()
    with elsewhere.listening() as other, receiver.listening() as address:
        answers: list[tuple[int, dict[str, str]]] = [
            (500, {}),
            (307, {"Location": other}),
            (429, {"Retry-After": "2"}),
        ]
        receiver.say = lambda _: answers.pop(0) if answers else (200, {})
        process = start("--webhook", address, PLANIMETER_WEBHOOK_SECRET=SECRET)
        url = url_in(process.message())
        measure(url, OVERLAPPING)
        receiver.wait_for(1)
        wait(lambda: metrics(url)["waiting"] == 0, lambda: metrics(url))
        seen = metrics(url)
        _, _, err = process.stop()
    assert len({each.headers["webhook-id"] for each in receiver.came}) == 1
    assert len(receiver.came) == 4
    assert receiver.came[3].moment - receiver.came[2].moment >= 2
    assert elsewhere.came == []
    assert (seen["sent"], seen["failed"]) == (1, 3)
    assert "answers 500" in err
    assert "takes messages again" in err


def test_a_message_that_is_refused_does_not_hold_up_the_others(start: Start, receiver: Receiver) -> None:
    refused: Counter[str] = Counter()

    def say(message: Received) -> tuple[int, dict[str, str]]:
        if message.event["data"]["lot"] == "unknown":
            refused[message.measurement] += 1
            return (422, {}) if refused[message.measurement] == 1 else (204, {})
        return 204, {}

    receiver.say = say
    with receiver.listening() as address:
        url = url_in(start("--webhook", address, PLANIMETER_WEBHOOK_SECRET=SECRET).message())
        first = json.loads(
            request(f"{url}{MEASUREMENTS}?lot=unknown", "POST", picture(1), {"Content-Type": "image/png"})[2]
        )["id"]
        others = [measure(url, picture(number + 2))["id"] for number in range(3)]
        taken = [each.measurement for each in receiver.wait_for(4)]
    assert taken == [*others, first]


@pytest.mark.both_databases
@pytest.mark.usefixtures("records_in")
def test_two_services_on_one_store_send_each_message_once(
    start: Start, receiver: Receiver, tmp_path: Path
) -> None:
    with receiver.listening() as address:
        options = (*places(tmp_path), "--webhook", address)
        urls = [url_in(start(*options, PLANIMETER_WEBHOOK_SECRET=SECRET).message()) for _ in range(2)]
        ids: list[str] = []

        def send(turn: int) -> None:
            ids.extend(measure(urls[turn % 2], picture(turn * 8 + number + 1))["id"] for number in range(8))

        threads = [threading.Thread(target=send, args=(turn,)) for turn in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        receiver.wait_for(32)
        wait(lambda: all(metrics(url)["waiting"] == 0 for url in urls), lambda: None)
        time.sleep(1.5)
    assert Counter(each.measurement for each in receiver.came) == Counter(ids)


def test_a_secret_is_exchanged_by_giving_both_for_a_while(start: Start, receiver: Receiver) -> None:
    other = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    with receiver.listening() as address:
        both = {"PLANIMETER_WEBHOOK_SECRET": f"{SECRET} {other}", "PLANIMETER_WEBHOOK": address}
        measure(url_in(start(**both).message()), OVERLAPPING)
        (message,) = receiver.wait_for(1)
    for secret in (SECRET, other):
        assert Webhook(secret).verify(message.body, message.headers)["type"] == "measurement.created"


def test_what_is_never_taken_is_given_up_where_everybody_sees_it(
    start: Start, receiver: Receiver, tmp_path: Path
) -> None:
    with receiver.listening() as address:
        pass
    options = (*FOLDERS, "--webhook", address)
    process = start(*options, PLANIMETER_WEBHOOK_SECRET=SECRET)
    url = url_in(process.message())
    for number in range(3):
        measure(url, picture(number + 1))
    wait(lambda: metrics(url)["failed"] > 0, lambda: metrics(url))
    process.stop()
    connection = sqlite3.connect(tmp_path / "db" / "p.db")
    with connection:  # three days go by for two of them
        connection.execute(
            "UPDATE outbox SET created_at = '2020-01-01 00:00:00' WHERE id < (SELECT max(id) FROM outbox)"
        )
    connection.close()
    process = start(*options, PLANIMETER_WEBHOOK_SECRET=SECRET)
    url = url_in(process.message())
    wait(lambda: metrics(url).get("given_up") == 2, lambda: metrics(url))
    assert metrics(url)["waiting"] == 1
    _, _, err = process.stop()
    assert "2 messages to http://127.0.0.1" in err
    doctor = subprocess.run(
        [sys.executable, "-m", "planimeter", "doctor", *FOLDERS],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert doctor.returncode == 1
    assert "2 messages to http://127.0.0.1" in doctor.stdout
    assert "s3cret" not in doctor.stdout + err

    later = start(*FOLDERS)  # a service without any receiver says that messages wait
    later.message()
    _, _, err = later.stop()
    assert "1 messages wait for http://127.0.0.1" in err


@pytest.mark.parametrize(
    ("options", "environ", "words"),
    [
        (["--webhook", "https://a.example/x"], {}, "--webhook needs a secret"),
        (["--webhook", "https://a.example/x"], {"PLANIMETER_WEBHOOK_SECRET": "s3cret"}, "holds no secret of webhooks"),
        (["--webhook", "ftp://a.example/x"], {"PLANIMETER_WEBHOOK_SECRET": SECRET}, "--webhook is 'ftp://a.example/x'"),
        (["--webhook", "https://u:s3cret@a.example/x"], {"PLANIMETER_WEBHOOK_SECRET": SECRET}, "at 'a.example' has a"),
        (["--webhook", "https://a.example:99999/"], {"PLANIMETER_WEBHOOK_SECRET": SECRET}, "Port out of range"),
        (["--webhook", "http://a.example/x", "--webhook-secret-file", "none"], {}, "none cannot be read (No such file"),
        (["--mqtt", "http://broker/x"], {}, "no mqtt:// or mqtts://"),
        (["--mqtt", "mqtt://u:s3cret@broker/x"], {}, "--mqtt at 'broker' has a name"),
        (["--mqtt", "mqtt://broker"], {}, "a topic of 0 bytes"),
        (["--mqtt", "mqtt://broker/line/+/x"], {}, "it can have no +"),
        (["--mqtt", "mqtt://broker/line/#"], {}, "the topic 'line/#': it can have no +, no # and no ?"),
        (["--mqtt", "mqtt://broker/line?"], {}, "the topic 'line?': it can have no +, no # and no ?"),
        (["--mqtt", "mqtt://broker/line/%23"], {}, "it can have no +, no # and no ?"),
        (["--mqtt", "mqtt://broker:port/x"], {}, "--mqtt is no address"),
        (["--mqtt", "mqtt://broker/x"], {"PLANIMETER_MQTT_PASSWORD": "s3cret"}, "needs --mqtt-user"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_at_the_start(
    start: Start, tmp_path: Path, options: list[str], environ: dict[str, Any], words: str
) -> None:
    status, out, err = start(*options, **environ).wait()
    assert status == 1
    assert words in err
    assert "s3cret" not in out + err
    assert "Traceback" not in err
    assert not (tmp_path / "planimeter-data").exists()


@pytest.mark.slow
def test_what_is_stored_is_told_wherever_a_kill_falls(
    start: Start, receiver: Receiver, tmp_path: Path
) -> None:
    """Also what was stored and not answered any more; and nothing that was not stored."""
    chance = np.random.default_rng(3)
    with receiver.listening() as address:
        options = (*FOLDERS, "--webhook", address)
        for turn in range(4):
            process = start(*options, PLANIMETER_WEBHOOK_SECRET=SECRET)
            url = url_in(process.message())
            ending = threading.Timer(chance.uniform(0.3, 1.2), process.stop, [signal.SIGKILL])
            ending.start()
            with contextlib.suppress(OSError, HTTPException):
                for number in range(1000):
                    measure(url, picture((turn * 16 + number) % 64 + 1))
            ending.join()
        url = url_in(start(*options, PLANIMETER_WEBHOOK_SECRET=SECRET).message())
        _forget_claims(tmp_path)
        wait(lambda: metrics(url)["waiting"] == 0, lambda: metrics(url))
        stored: set[str] = set()
        after = f"{url}{MEASUREMENTS}?limit=200"
        while after:
            page = json.loads(request(after)[2])
            stored |= {entry["id"] for entry in page["measurements"]}
            after = page["next_url"] and urljoin(after, page["next_url"])
    assert {each.measurement for each in receiver.taken} == stored
    assert len(stored) > 4
    ids = {(each.measurement, each.headers["webhook-id"]) for each in receiver.came}
    assert len(ids) == len(stored)


@pytest.mark.both_databases
@pytest.mark.usefixtures("records_in")
def test_the_oldest_of_too_many_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST_WAITING", 3)
    store = open_store(tmp_path)
    store.outbox.tell(["one", "other"], write_event)
    ids = [add(store).id for _ in range(5)]
    sent = store.outbox.claim("other", 5, 60)
    assert store.outbox.claim("other", 5, 60) == []  # they are claimed
    store.outbox.settle("other", sent[:3], [outbox.Failed(sent[3].id, "it hung up", 0)], sent[4:])
    assert store.outbox.give_up() == [outbox.GivenUp("one", 2, "it was not tried")]
    assert store.outbox.waiting() == {"one": 3, "other": 2}
    left = store.outbox.claim("one", 9, 60)
    assert [json.loads(each.body)["data"]["id"] for each in left] == ids[2:]
    again = store.outbox.claim("other", 9, 60)
    assert [(each.id, each.attempts) for each in again] == [(sent[3].id, 1), (sent[4].id, 0)]
    assert store.outbox.give_up() == []
    store.close()


def test_a_damaged_record_can_still_be_changed_and_nobody_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(tmp_path)
    store.outbox.tell(["one"], write_event)
    damaged, whole = add(store).id, add(store).id
    damaging = f"UPDATE measurement_documents SET document = 'no' WHERE measurement_id = '{damaged}'"  # noqa: S608
    execute_sql(tmp_path, damaging)
    for id_ in (damaged, whole):
        store.details.change(id_, Details(lot="A"))
    assert store.count(Filter(lot="A")) == 2
    assert store.outbox.waiting() == {"one": 3}
    assert f"nobody is told of measurement {damaged}" in caplog.text
    store.close()
