"""Clients that measure, throw away, bring back, change and delete for good, each request until it is answered."""

import json
import random
import threading
import time
from collections.abc import Sequence
from uuid import uuid4

from ledger import Ledger
from running import MEASUREMENTS, Running
from verdict import PICTURES

SAMPLE = PICTURES / "tile-holes.png"
CLIENT_SECONDS = 1800.0
"""How long a client repeats a request: on a busy machine many kills fall before it is answered."""
ANSWER_SECONDS = 30.0
"""How long it waits for an answer before it asks again."""
MANY = 60
"""With so many listed, more is deleted than measured."""
TRASH = "/api/v1/trash"
THRESHOLDS = (0.6, 0.7, 0.8)


class Client:
    """Does one thing after the other, each until it is answered."""

    def __init__(self, services: Sequence[Running], ledger: Ledger, number: int) -> None:
        self._services, self._ledger = services, ledger
        self._chance = random.Random(number)  # noqa: S311 - not for secrets
        self._picture = SAMPLE.read_bytes()
        self.whole = False
        """Whether all that it asked was answered."""

    def work(self, over: threading.Event) -> None:
        """Work until it is over; what was begun is finished."""
        while not over.is_set():
            self._one()
        self.whole = True

    def _one(self) -> None:
        ledger = self._ledger
        few = len(ledger.listed) < MANY
        what = self._chance.choices(
            ("measured", "thrown away", "brought back", "changed", "deleted", "deleted from the trash"),
            (4 if few else 1, 3 if few else 6, 2.5, 2, 0.7 if few else 3, 0.7),
        )[0]
        if what == "measured":
            key = {"Idempotency-Key": str(uuid4()), "Content-Type": "image/png"}
            _, body = self._until(201, "POST", MEASUREMENTS, self._picture, key)
            measured = json.loads(body)
            ledger.put(what, measured["id"], ledger.listed, measured["options"]["score_threshold"])
            return
        from_trash = what in {"brought back", "deleted from the trash"}
        taken = ledger.take(ledger.trashed if from_trash else ledger.listed, self._chance)
        if taken is None:
            return
        id_, threshold = taken
        url = f"{MEASUREMENTS}/{id_}"
        if what == "thrown away":
            self._until({204, 404}, "DELETE", url)
            ledger.put(what, id_, ledger.trashed, threshold)
        elif what == "brought back":
            self._until({200, 404}, "POST", f"{TRASH}/{id_}/restore")
            ledger.put(what, id_, ledger.listed, threshold)
        elif what == "changed":
            threshold = self._chance.choice(THRESHOLDS)
            self._until(200, "PUT", f"{url}/threshold?score_threshold={threshold}")
            ledger.put(what, id_, ledger.listed, threshold)
        else:
            self._until({204, 404}, "DELETE", f"{TRASH}/{id_}" if from_trash else f"{url}?for_good=true")
            ledger.put(what, id_, None, threshold)

    def _until(
        self,
        wanted: int | set[int],
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Ask again and again until one of the statuses that are wanted is answered.

        404 stands for "it was done before", by a request whose answer the kill took: where that is not so, the
        measurement will be found missing in the end.
        """
        statuses = {wanted} if isinstance(wanted, int) else wanted
        end = time.monotonic() + CLIENT_SECONDS
        while time.monotonic() < end:
            service = self._chance.choice(self._services)  # as a balancer of load does
            status, answer, _ = service.ask(method, path, body, seconds=ANSWER_SECONDS, headers=headers)
            if status in statuses:
                return status, answer
            self._ledger.refuse(f"{status} {_code(answer)}".strip())
            time.sleep(0.1)
        raise RuntimeError(
            f"{method} {path} was not answered in {CLIENT_SECONDS:.0f} s, the last time with {status}: {answer[:200]!r}"
        )


def _code(answer: bytes) -> str:
    """Return the stable name of an error; nothing where the answer is none of ours."""
    try:
        return str(json.loads(answer)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
