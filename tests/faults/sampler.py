"""Watches what both daemons claim, about ten times a second, and judges it afterwards.

A claim is taken between two instants of our clock: asked, and answered. It is untrue only if it would
be untrue at every instant between them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from support.stations import Client, Message, Refused, Station

PERIOD_S: Final = 0.1
_TIMEOUT_S: Final = 5.0
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
_ENDED: Final = 9


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
        name, state = str(message["id"]), str(message["state"])
        before: str = self.states.get(name, state)
        ended_late = RANK[state] == _ENDED and RANK[before] not in (0, _ENDED)
        if RANK[state] < RANK[before] or ended_late:
            self.backward.append(f"{name}: {before} -> {state}")
        self.states[name] = state


class Watch(threading.Thread):
    """Asks one daemon again and again until ``enough`` is set, whatever becomes of it."""

    def __init__(self, station: Station, line: str, period_s: float) -> None:
        super().__init__(daemon=True)
        self.enough = threading.Event()
        self.station = station
        self.line = line
        self._period_s = period_s

    def run(self) -> None:
        """Ask; a daemon that is not there says nothing, and is asked again."""
        while not self.enough.wait(self._period_s):
            with contextlib.suppress(OSError, EOFError), self.station.client() as client:
                client.sock.settimeout(_TIMEOUT_S)
                while not self.enough.is_set():
                    self.ask(client)
                    self.enough.wait(self._period_s)

    def ask(self, client: Client) -> None:
        """Ask once, and keep the answer."""
        raise NotImplementedError


class OutboxWatcher(Watch):
    """Follows the states of messages; apart from the line's, for a disk may hold up its answers."""

    def __init__(self, station: Station, line: str) -> None:
        super().__init__(station, line, 4 * PERIOD_S)
        self.claims = Claims()
        self._after = 0

    def ask(self, client: Client) -> None:
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


class Watcher(Watch):
    """Follows what one station says about its line."""

    def __init__(self, station: Station, line: str) -> None:
        super().__init__(station, line, PERIOD_S)
        self.samples: list[Sample] = []

    def ask(self, client: Client) -> None:
        """Take a sample."""
        asked = time.monotonic()
        lines = client.call("status")["lines"]
        answered = time.monotonic()
        self.samples += [
            Sample(asked, answered, self.station.name, line["state"], line["reason"], line)
            for line in lines
            if line["name"] == self.line
        ]

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
        return f"{self.station.name}: {said}"
