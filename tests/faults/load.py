"""Real load: messages put to one daemon over its control socket, whatever becomes of it."""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Final

from support.stations import Client, Message, Refused, Station

PRECEDENCES: Final = ("FLASH", "IMMEDIATE", "PRIORITY", "ROUTINE")
_SIZES: Final = (20, 20, 20, 200, 200, 3000, 12_000)
"""Most are short; some fill a record; some are cut into parts."""

_TIMEOUT_S: Final = 20.0

MOST_QUEUED: Final = 1000
"""What is queued beyond this shows nothing more, and takes minutes to deliver on a busy machine."""


class Ledger:
    """What one station was asked to send, and what it answered."""

    def __init__(self) -> None:
        self.bodies: dict[str, str] = {}
        self.accepted: set[str] = set()
        self.unsure: set[str] = set()
        self.failed: set[str] = set()
        """Of the unsure ones, those that were answered: the store has failed."""
        self.refused: Counter[str] = Counter()

    def ask(self, messages: list[Message]) -> None:
        """Note what is being asked: until the answer comes, all may be or not be."""
        for one in messages:
            self.bodies[one["id"]] = one["body"]
            if one["id"] not in self.accepted:
                self.unsure.add(one["id"])

    def answered(self, results: list[dict[str, Any]]) -> None:
        """Note the answer to each message."""
        for result in results:
            if "error" in result:
                self.refuse([result["id"]], result["error"]["code"])
            else:
                self.accepted.add(result["id"])
                self.unsure.discard(result["id"])

    def refuse(self, ids: list[str], code: str) -> None:
        """Note that these were refused: they must never arrive."""
        self.refused[code] += len(ids)
        self.unsure.difference_update(ids)


class Load(threading.Thread):
    """Sends batches with a pause after each, until ``enough`` is set.

    When the connection breaks, the batch under way is asked for again under the same ids half of
    the time: then it must come once, and otherwise once or not at all.
    """

    def __init__(
        self, station: Station, line: str, ledger: Ledger, *, seed: int, pause_s: float, batch: int
    ) -> None:
        super().__init__(daemon=True)
        self.enough = threading.Event()
        self.ledger = ledger
        self._station = station
        self._line = line
        self._rng = random.Random(seed)
        self._pause_s = pause_s
        self._batch = batch
        self._mark = f"{station.name[0]}{seed}"
        self._made = 0

    def run(self) -> None:
        """Send."""
        again: list[Message] = []
        while not self.enough.is_set():
            with contextlib.suppress(OSError, EOFError), self._station.client() as client:
                client.sock.settimeout(_TIMEOUT_S)
                while not self.enough.is_set():
                    made = again or self._make()
                    again = made if self._rng.random() < 0.5 else []
                    self._send(client, made)
                    again = []
                    self.enough.wait(self._pause_s)
                    while self._queued(client) > MOST_QUEUED and not self.enough.is_set():
                        self.enough.wait(self._pause_s)
            self.enough.wait(0.02)

    def _queued(self, client: Client) -> int:
        lines = {one["name"]: one for one in client.call("status")["lines"]}
        queued: int = lines[self._line]["queued"]
        return queued

    def _make(self) -> list[Message]:
        made = []
        for _ in range(self._batch):
            self._made += 1
            name = f"{self._mark}-{self._made}"
            body = f"{name} " + self._rng.choice("xyzé") * self._rng.choice(_SIZES)
            made.append({"id": name, "body": body, "precedence": self._rng.choice(PRECEDENCES)})
        return made

    def _send(self, client: Client, messages: list[Message]) -> None:
        self.ledger.ask(messages)
        try:
            results = client.call("send", line=self._line, messages=messages)["results"]
        except Refused as refused:
            names = [one["id"] for one in messages]
            if refused.code == "store-failed":  # nobody can tell what a failed fsync has kept
                self.ledger.failed.update(names)
            else:
                self.ledger.refuse(names, str(refused.code))
            return
        self.ledger.answered(results)


def send_batch(station: Station, line: str, ledger: Ledger, folder: Path, count: int) -> None:
    """Have an operator send many messages with ``send --batch``, all of which must be accepted."""
    made = [
        {"id": f"batch-{station.name}-{n}", "body": f"batch {n}", "precedence": PRECEDENCES[n % 4]}
        for n in range(count)
    ]
    path = folder / f"{station.name}.ndjson"
    path.write_text("".join(json.dumps(one) + "\n" for one in made))
    ledger.ask(made)
    done = station.hotline("send", line, "--batch", str(path))
    assert done.code == 0, f"send --batch: exit {done.code}: {done.err}"
    ledger.answered(made)
