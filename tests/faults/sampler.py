"""Watches what both daemons claim, about ten times a second, and judges it afterwards.

A claim is taken between two instants of our clock: asked, and answered. It is untrue only if it would be
untrue at every instant between them.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from support.stations import Client, Message, Refused, Station

PERIOD_S: Final = 0.1
_TIMEOUT_S: Final = 5.0
_OUTBOX_EVERY: Final = 4
_PAGE: Final = 500

RANK: Final = {
    "queued": 0,
    "sent": 1,
    "delivered": 2,
    "acknowledged": 3,
    "expired": 9,
    "cancelled": 9,
}
_FINAL: Final = 2


@dataclass(frozen=True)
class Sample:
    """One answer of one daemon about its line; times are monotonic."""

    asked: float
    answered: float
    station: str
    state: str
    reason: str
    status: dict[str, Any]


@dataclass
class Truth:
    """What a span of time makes untrue: ``up`` from ``limit_s`` after its begin, and some reasons."""

    what: str
    began: float
    ended: float
    limit_s: float
    untrue_reasons: frozenset[str] = frozenset()
    stations: frozenset[str] = frozenset({"alpha", "bravo"})

    def broken_by(self, sample: Sample) -> bool:
        """Tell whether a sample claims what was not so."""
        if sample.station not in self.stations or sample.answered >= self.ended:
            return False
        late = sample.asked > self.began + self.limit_s
        false_reason = sample.asked > self.began and sample.reason in self.untrue_reasons
        return (late and sample.state == "up") or false_reason


@dataclass
class Claims:
    """All that was claimed about messages by one station."""

    states: dict[str, str] = field(default_factory=dict)
    backward: list[str] = field(default_factory=list)

    def note(self, message: Message) -> None:
        """Take a message's state, and whether it went back from what it was."""
        name, state = message["id"], message["state"]
        before = self.states.get(name, state)
        if RANK[state] < RANK[before] or (RANK[before] > 0 and RANK[state] == 9 != RANK[before]):
            self.backward.append(f"{name}: {before} -> {state}")
        self.states[name] = state


class Watcher(threading.Thread):
    """Samples one station until ``enough`` is set."""

    def __init__(self, station: Station, line: str) -> None:
        super().__init__(daemon=True)
        self.samples: list[Sample] = []
        self.claims = Claims()
        self.enough = threading.Event()
        self._station = station
        self._line = line
        self._after = 0

    def run(self) -> None:
        """Sample; a daemon that is not there says nothing, and is asked again."""
        while not self.enough.wait(PERIOD_S):
            try:
                with self._station.client() as client:
                    client.sock.settimeout(_TIMEOUT_S)
                    self._follow(client)
            except (OSError, EOFError):
                continue

    def _follow(self, client: Client) -> None:
        round_ = 0
        while not self.enough.is_set():
            asked = time.monotonic()
            lines = client.call("status")["lines"]
            answered = time.monotonic()
            for line in lines:
                if line["name"] == self._line:
                    sample = Sample(
                        asked, answered, self._station.name, line["state"], line["reason"], line
                    )
                    self.samples.append(sample)
            if round_ % _OUTBOX_EVERY == 0:
                self._read_outbox(client)
            round_ += 1
            self.enough.wait(PERIOD_S)

    def _read_outbox(self, client: Client) -> None:
        """Read on from the oldest message whose state may still change."""
        try:
            page = client.call("outbox", after=self._after, limit=_PAGE)["messages"]
        except Refused:
            return  # the store has failed: it says no more
        final = True
        for message in page:
            self.claims.note(message)
            final = final and RANK[message["state"]] >= _FINAL
            if final:
                self._after = message["row"]

    def latest(self) -> Sample | None:
        """Give the newest sample, if there is one."""
        return self.samples[-1] if self.samples else None

    def first(self, since: float, *, up: bool) -> Sample | None:
        """Give the first sample asked for after an instant that says up, or that does not."""
        return next(
            (one for one in self.samples if one.asked >= since and (one.state == "up") is up), None
        )

    def seen(self) -> str:
        """Give the states seen, with their reasons, and how often."""
        counts = Counter(f"{one.state}/{one.reason}" for one in self.samples)
        said = ", ".join(f"{what} {count}" for what, count in counts.most_common())
        return f"{self._station.name}: {said}"
