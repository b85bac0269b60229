"""Somebody who keeps a daemon busy, and knows what it has promised."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from support.stations import Message, Refused, Station, message


class Sender(threading.Thread):
    """Keeps sending batches to one daemon, whatever becomes of it, and notes what it was told."""

    def __init__(self, station: Station, line: str) -> None:
        super().__init__(daemon=True)
        self.accepted: dict[str, str] = {}
        self.unsure: set[str] = set()
        self.enough = threading.Event()
        self._station = station
        self._line = line

    def stop(self) -> None:
        """Send no more; what is under way is answered first."""
        self.enough.set()
        self.join()

    def run(self) -> None:
        """Send."""
        number = 0
        while not self.enough.is_set():
            with contextlib.suppress(OSError, EOFError), self._station.client() as client:
                while not self.enough.is_set():
                    made = [
                        message(f"{self._station.name}-{number + n}-{self._line}")
                        for n in range(20)
                    ]
                    number += len(made)
                    self.unsure |= {one["id"] for one in made}
                    self._note(made, client.call("send", line=self._line, messages=made))
            self.enough.wait(0.02)

    def _note(self, made: list[Message], answer: dict[str, Any]) -> None:
        for one, result in zip(made, answer["results"], strict=True):
            if "error" in result:
                raise Refused(result["error"])
            assert result["id"] == one["id"]
            self.accepted[one["id"]] = one["body"]
            self.unsure.discard(one["id"])
