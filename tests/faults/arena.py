"""Where one scenario happens: two stations, their load, what watches them, and the figures."""

from __future__ import annotations

import contextlib
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from faults.account import Account, reckon
from faults.load import Ledger, Load, send_batch
from faults.network import ADDRESSES, Network, WeatherNetwork
from faults.sampler import OutboxWatcher, Truth, Watch, Watcher
from faults.station import HEARTBEAT_S, FaultStation

from support.processes import slowdown, until
from support.stations import start

NAMES: Final = ("alpha", "bravo")
SETTLE_S: Final = 240.0
"""A bound on recovery, reached only by a failing scenario, on a busy machine too."""

SLACK_S: Final = 0.4
"""For the sampler and the scheduler, on top of what the design promises."""

_BATCH: Final = 100
_SHOWN: Final = 25
"""Lines of a log, for whoever looks into a failure."""


@dataclass
class Figures:
    """What a scenario is judged by, and what it prints."""

    account: Account = field(default_factory=Account)
    detected_s: list[float] = field(default_factory=list)
    recovered_s: list[float] = field(default_factory=list)
    fired: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def line(self, name: str) -> str:
        """Give the one line that tells all."""
        account = self.account
        parts = [
            f"{'ok  ' if not self.problems else 'FAIL'} {name:<12}",
            f"accepted {account.accepted} delivered {account.delivered} lost {account.lost} "
            f"twice {account.duplicate} unknown {account.unknown}",
            f"detected {spread(self.detected_s)}",
            f"back {spread(self.recovered_s)}",
            f"fired: {', '.join(self.fired) or 'NOTHING'}",
            *self.notes,
            *self.seen,
            f"{self.seconds:.1f} s",
        ]
        return " | ".join(parts)


def spread(seconds: list[float]) -> str:
    """Give the median and the worst of some times."""
    if not seconds:
        return "-"
    if len(seconds) == 1:
        return f"{seconds[0]:.2f} s"
    worst = max(seconds)
    return f"{statistics.median(seconds):.2f} s (worst {worst:.2f} of {len(seconds)})"


class Arena:
    """Two stations with a line between them, under load and watched."""

    def __init__(
        self, folder: Path, network: Network, *, short: bool, seed: int, **settings: Any
    ) -> None:
        self.folder = folder
        self.network = network
        self.short = short
        self.rng = random.Random(seed)
        self.figures = Figures()
        self.truths: list[Truth] = []
        self.settings: dict[str, Any] = {"heartbeat_s": HEARTBEAT_S, **settings}
        self.alpha, self.bravo = (
            FaultStation(folder / name, name, side, address)
            for name, side, address in zip(NAMES, network.sides, ADDRESSES, strict=True)
        )
        self.alpha.pin(self.bravo, **self.settings)
        self.bravo.pin(self.alpha, **self.settings)
        self.pair = (self.alpha, self.bravo)
        self.ledgers = {name: Ledger() for name in NAMES}
        self.watchers: dict[str, Watcher] = {}
        self.outboxes: dict[str, OutboxWatcher] = {}
        self._loads: list[Load] = []
        self._load_seed = seed

    # --- life ---

    def begin(self) -> None:
        """Start both stations, and watch them."""
        start(*self.pair)
        self.watch()

    def watch(self) -> None:
        """Watch both stations from now on."""
        for station in self.pair:
            line = self.peer_of(station).name
            self.watchers[station.name] = Watcher(station, line)
            self.outboxes[station.name] = OutboxWatcher(station, line)
        for watch in self._watches():
            watch.start()

    def unwatch(self) -> None:
        """Watch no more; what was claimed so far is kept."""
        for watch in self._watches():
            watch.enough.set()
        for watch in self._watches():
            watch.join()

    def _watches(self) -> list[Watch]:
        return [*self.watchers.values(), *self.outboxes.values()]

    def peer_of(self, station: FaultStation) -> FaultStation:
        """Give the other one."""
        return self.bravo if station is self.alpha else self.alpha

    def show_logs(self) -> None:
        """Print what both daemons said last."""
        for station in self.pair:
            said = station.stderr.read_text(errors="replace") if station.stderr.exists() else ""
            print(f"--- what {station.name} said last:", *said.splitlines()[-_SHOWN:], sep="\n")

    def close(self) -> None:
        """End everything, whatever state it is in."""
        for watch in self._watches():
            watch.enough.set()
        for load in self._loads:
            load.enough.set()
        for station in self.pair:
            station.clean_up()
        for thread in (*self._watches(), *self._loads):
            thread.join()

    # --- load ---

    def load(self, *, pause_s: float = 0.05, batch: int = 10) -> None:
        """Send both ways from now on, and once with the operator's ``send --batch``."""
        for station in self.pair:
            line, ledger = self.peer_of(station).name, self.ledgers[station.name]
            send_batch(station, line, ledger, self.folder, _BATCH)
            self._load_seed += 1
            load = Load(station, line, ledger, seed=self._load_seed, pause_s=pause_s, batch=batch)
            self._loads.append(load)
            load.start()

    def stop_load(self) -> None:
        """Send no more; what is under way is answered first."""
        for load in self._loads:
            load.enough.set()
        for load in self._loads:
            load.join()
        self._loads = []

    def ask(self, station: FaultStation, name: str) -> None:
        """Have a station, one of the pair or a clone, accept a FLASH, and note it for the reckoning."""
        asked = [{"id": name, "body": "x", "precedence": "FLASH"}]
        line = NAMES[1] if station.name == NAMES[0] else NAMES[0]
        self.ledgers[station.name].ask(asked)
        self.ledgers[station.name].answered(station.send(line, *asked))

    def accepted(self, station: FaultStation) -> int:
        """Give how many messages a station has accepted so far."""
        return len(self.ledgers[station.name].accepted)

    def work(self, least: int, most: int) -> None:
        """Wait until both have accepted a random number of further messages."""
        marks = [(one, self.accepted(one) + self.rng.randrange(least, most)) for one in self.pair]
        until("both accept", lambda: all(self.accepted(one) >= mark for one, mark in marks))

    # --- what is known ---

    def watch_until_up(self, since: float) -> float:
        """Wait until both have claimed ``up`` in answer to a question after since; when it was."""

        def all_up() -> float | None:
            found = [one.first(since, up=True) for one in self.watchers.values()]
            times = [sample.answered for sample in found if sample is not None]
            return max(times) if len(times) == len(found) else None

        return until("both lines are up again", all_up, SETTLE_S)

    def span(self, what: str, began: float, ended: float, limit_s: float, **more: Any) -> Truth:
        """Judge by this that the line was broken in a span, and note when each noticed.

        The slack in the limit is that of a machine that does nothing else: a busy one has more.
        """
        limit_s += SLACK_S * (slowdown() - 1)
        truth = Truth(what, began, ended, limit_s, **more)
        self.truths.append(truth)
        noticed = [self.watchers[name].first(began, up=False) for name in truth.stations]
        times = [one.answered - began for one in noticed if one and one.answered < ended]
        if len(times) == len(noticed):
            self.figures.detected_s.append(max(times))
        elif ended - began > limit_s:
            self.problem(f"{what}: not noticed by both within {ended - began:.1f} s")
        return truth

    def reasons(self, station: FaultStation, began: float, ended: float) -> set[str]:
        """Give the reasons that a station gave within a span, of states other than up."""
        return {
            one.reason
            for one in self.watchers[station.name].samples
            if began < one.asked and one.answered < ended and one.state != "up"
        }

    def states(self, station: FaultStation, began: float, ended: float) -> set[str]:
        """Give the states that a station gave within a span."""
        return {
            one.state
            for one in self.watchers[station.name].samples
            if began < one.asked and one.answered < ended
        }

    def problem(self, text: str) -> None:
        """Note what should not be."""
        self.figures.problems.append(text)

    def expect(self, claim: str, *, holds: bool) -> None:
        """Note a problem unless what was claimed holds."""
        if not holds:
            self.problem(f"this should hold, and does not: {claim}")

    def fired(self, what: str, *, times: int) -> None:
        """Note that a fault fired so often; a fault that did not is a problem."""
        self.figures.fired.append(f"{what} {times}")
        self.expect(f"the fault fired: {what}", holds=times > 0)

    # --- the end ---

    def settle(self) -> None:
        """End the load, let everything arrive, and reckon."""
        self.stop_load()
        for station in self.pair:
            station.call("retry")
        for station in self.pair:
            line = self.peer_of(station).name
            until(f"{station.name} is done", lambda s=station, n=line: _done(s, n), SETTLE_S)  # type: ignore[misc]
        self.reckon()

    def reckon(self) -> None:
        """Judge all that was accepted, delivered and claimed."""
        self.unwatch()
        for station in self.pair:
            watcher, ledger = self.watchers[station.name], self.ledgers[station.name]
            inbox = self.peer_of(station).box("inbox")
            claims = self.outboxes[station.name].claims
            account = reckon(ledger, station.box("outbox"), inbox, claims)
            self.figures.account.add(account)
            self.figures.problems += [f"{station.name}: {one}" for one in account.problems]
            self.figures.seen.append(watcher.seen())
            self._judge(watcher)
            if ledger.refused:
                told = ", ".join(f"{code} {count}" for code, count in ledger.refused.items())
                self.figures.notes.append(f"{station.name} refused: {told}")
            if ledger.failed:
                kept = len(ledger.failed & {one["id"] for one in inbox})
                told = f"{len(ledger.failed)} answered store-failed, of which {kept} arrived"
                self.figures.notes.append(f"{station.name}: {told}")

    def _judge(self, watcher: Watcher) -> None:
        silent = [one for one in watcher.samples if not (one.reason and one.status["detail"])]
        for one in silent[:1]:
            self.problem(f"{one.station} said {one.state} {len(silent)} times without a reason")
        for truth in self.truths:
            untrue = [one for one in watcher.samples if truth.broken_by(one)]
            for one in untrue[:1]:
                self.problem(
                    f"{truth.what}: {len(untrue)} untrue claims: {one.station} said {one.state}/"
                    f"{one.reason} {one.asked - truth.began:.2f} s after it began"
                )


def _done(station: FaultStation, line: str) -> bool:
    status = station.status(line)
    return (status["state"], status["queued"], status["in_flight"]) == ("up", 0, 0)


@contextlib.contextmanager
def arena(*, short: bool, seed: int, weather: bool = False, **settings: Any) -> Iterator[Arena]:
    """Give an arena, with the relay between the stations if there is to be weather."""
    folder = Path(tempfile.mkdtemp(prefix="hl"))
    began = time.monotonic()
    try:
        with WeatherNetwork(seed) if weather else Network() as network:
            made = Arena(folder, network, short=short, seed=seed, **settings)
            try:
                yield made
            finally:
                made.close()
                made.figures.seconds = time.monotonic() - began
    finally:
        shutil.rmtree(folder, ignore_errors=True)
