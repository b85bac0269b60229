"""One station in the second tier: a host on which the real daemon runs, as a task of its own.

A crash is not a cancellation, for then `finally` blocks would speak: first the host is cut off from
the world (its connections end, its disk and its store's hand do nothing more), then the tasks are
cancelled, and the next life begins with what the disk has.
"""

from __future__ import annotations

import signal
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import trio
from sim import crypto
from sim.daemon_machine import Life, first_violation
from sim.daemon_streams import SimStream
from sim.ledger import Violation
from sim.pairing import WatchedPairing
from sim.station import WALL_NS, Station

from hotline.daemon import run
from hotline.daemon.config import Address, LineConfig, StationConfig
from hotline.daemon.runner import Runner
from hotline.errors import StoreError
from hotline.line.lineage import Generation
from hotline.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.network import End

    from hotline.line.effects import Effect, Report
    from hotline.line.line import Line

_STOP_S = 2.0
_EXIT_S = 4.0
_RESTART_S = (0.2, 5.0)
_SPIN = 2000

here: ContextVar[Life] = ContextVar("here")
"""Whose task is running."""


def wall_ns() -> int:
    """Stand in for time.time_ns: each host has its own wall clock."""
    station = here.get().station
    return station.moment().wall_ns


class WatchedRunner(Runner):
    """The product's Runner, with a witness."""

    def __init__(self, line: Line, connections: Any, writer: Any, report: Any, dial: Any) -> None:
        life = here.get()
        self.station = life.station
        self.peer = line.record.name
        self.agreed: int | None = None
        self.sending = False
        self._shared = connections
        self._count = (0.0, 0)

        def told(line: Line, fact: Report) -> None:
            report(line, fact)
            if not life.over:
                self.station.world.reports.reported(self, fact)

        super().__init__(line, connections, writer, told, dial)
        self.station.runners[self.peer] = self  # type: ignore[assignment]

    @property
    def sockets(self) -> dict[int, Any]:
        """Give the connections that stand, as the first tier does."""
        return {conn: one._stream for conn, one in self._shared.items()}

    def heard(self) -> None:
        """Bytes came in that the peer's station sent and nobody touched."""
        world = self.station.world
        world.checker.heard[self.station.identity, self.peer] = world.now

    def perform(self, effects: list[Effect]) -> None:
        station = self.station
        if here.get().over:
            return
        station.world.checker.effects(self, effects)
        super().perform(effects)
        at, count = self._count
        now = station.world.now
        self._count = now, count + 1 if at == now else 1
        if count > _SPIN:
            raise Violation(f"{station.name} spins")
        self.sending = self.line.sending.waiting_since is not None
        station.world.checker.after_input(self)

    def adopt(self, stream: Any, address: str, unit: bytes) -> Any:
        if not (stream.end.spliced or stream.end.tampered):
            self.heard()
        return super().adopt(stream, address, unit)

    async def _serve(self, conn: int, stream: Any, *, dialled: bool = False) -> None:
        stream.runner = self
        await super()._serve(conn, stream, dialled=dialled)

    def tell(self, act: Callable[[Line, Any], list[Effect]]) -> None:
        """Tell the line something that no operator's request does."""
        raise NotImplementedError


class DaemonLog:
    """Stands in for Logs: what a daemon tells is a fact for the checker."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self.daemon = self.heartbeat = self

    def __getattr__(self, level: str) -> Callable[..., None]:
        return lambda event, **fields: self._told(level, event, fields)

    def _told(self, level: str, event: str, fields: dict[str, Any]) -> None:
        station = self._life.station
        if self._life.over or event in {"heartbeat", "line_state"}:
            return
        station.world.trace(station.name, level, event, fields if level != "info" else "")
        if event == "daemon_started":
            self._life.started = True
            station.world.checker.started(station)
        elif event == "store_failed":
            if "a fault in this program" in fields["why"]:
                raise Violation(fields["why"])
            station.failed = True
            station.world.mark("exit on an I/O error")
        elif event == "daemon_failed":
            raise Violation(f"the daemon of {station.name} fails: {fields}")


class DaemonStation(Station):
    """A host, its disk, and the real daemon on it while it runs."""

    process: Life
    world: Any

    def start(self) -> None:
        if self.alive or not self.powered:
            return
        self.disk.revive()
        try:
            self.store = SqliteStore.open(
                self.disk.store, station_id=self.card.id, vfs=self.world.vfs.name
            )
        except StoreError as error:
            self.world.trace(self.name, "cannot start", type(error).__name__, error)
            self.world.after(_RESTART_S[1], self.start)
            return
        self.disk.rolled_back()
        self.life += 1
        self.alive, self.stopping, self.failed = True, False, False
        self.runners = {}
        self.process = Life(self, self.store)
        self.writer = self.process.worker  # type: ignore[assignment]
        self.world.trace(self.name, "starts", self.life)
        self.world.nursery.start_soon(self._live, self.process)

    def config(self) -> StationConfig:
        """Give the daemon's configuration."""
        options = self.world.options
        lines = []
        for peer in self.world.peers_of(self):
            addresses = tuple(
                Address(host, 1963) for host in options.addresses(self.identity, peer)
            )
            pace_s = options.heartbeat_s[self.identity]
            lines.append(LineConfig(peer, Path(peer), addresses, pace_s))
        folder = self.disk.folder
        listen = (Address(self.name, 1963),)
        return StationConfig(folder, self.name, folder, folder, folder, listen, tuple(lines))

    async def _live(self, life: Life) -> None:
        here.set(life)
        identity: Any = SimIdentity(self.keys, self.card)
        store: Any = life.store
        log: Any = DaemonLog(life)
        try:
            with life.scope:
                async with trio.open_nursery() as life.nursery:
                    code = None
                    with life.work:
                        code = await run.work(self.config(), identity, store, log, life.machine())
                    if not life.over:
                        self._exits(life, code)
                    life.nursery.cancel_scope.cancel()
        except BaseException as error:
            found = first_violation(error)
            if isinstance(found, StoreError) and not life.started:
                life.worker.lost = True
                self._exits(life, run.STORE_FAILED)
            elif not life.over or isinstance(found, Violation):
                raise found from error

    def _exits(self, life: Life, code: int | None) -> None:
        """The daemon has ended: it has to have a reason, and to leave nothing behind.

        Without a code, it was cancelled.
        """
        self.world.trace(self.name, "exits", code)
        if life.over:
            return
        if code is None:
            self.world.mark("a daemon was cancelled")
        if code == run.DONE and (life.worker.lost or not self.stopping):
            raise Violation(f"{self.name} ends as if all was well")
        if code == run.STORE_FAILED and not life.worker.lost:
            raise Violation(f"{self.name} says that its store failed, and it did not")
        left = [end for end in self.world.ends_of(self.name) if end.open]
        if left:
            raise Violation(f"{self.name} ends and leaves {len(left)} connections open")
        held = [peer for peer, runner in self.runners.items() if runner.sockets]
        if held or not life.worker.over.is_set():
            raise Violation(f"{self.name} ends, and still holds connections or its store: {held}")
        self._gone(orderly=code == run.DONE)
        soon = 0.01 if code is None else self.world.random.uniform(*_RESTART_S)
        self.world.after(soon, self.start)

    # --- ends of life ---

    def _gone(self, *, orderly: bool = False) -> None:
        if self.alive:
            super()._gone(orderly=orderly)
            self.process.end()

    def stop(self) -> None:
        """SIGTERM."""
        if self.stopping or not self.alive:
            return
        self.stopping = True
        life, number = self.process, self.life
        life.signal(signal.SIGTERM)

        def late() -> None:
            if self.life == number and self.alive:
                raise Violation(f"{self.name} does not end when it is asked to")

        self.world.after(_STOP_S + 6 * self.world.options.slowest_commit_s, late)

    def must_exit(self) -> None:
        """Its store has failed: an alarm and an exit have to follow."""
        number = self.life

        def late() -> None:
            if self.life == number and self.alive:
                raise Violation(f"{self.name} goes on with a store that has failed")

        self.world.after(_EXIT_S + 6 * self.world.options.slowest_commit_s, late)

    def store_failed(self, error: StoreError) -> None:
        raise NotImplementedError

    def freeze(self, duration_s: float) -> None:
        raise NotImplementedError

    # --- the outside ---

    @property
    def listening(self) -> bool:
        return self.alive and self.process.callers is not None and self.process.callers.open

    def answer(self, end: End) -> None:
        if self.listening and self.process.callers is not None:
            self.process.callers.put(SimStream(end, self.world.options.send_buffer))
        else:
            end.close()


class SimIdentity:
    """Stands in for Identity: keys that no file holds, and that never change in this tier."""

    successions = ()
    old_key_files = ()

    def __init__(self, keys: Any, card: Any) -> None:
        self.card = self.newest = card
        self.generations = [Generation(card, keys)]

    def pair(self, _line: LineConfig, peer: Any, _secret: bytes) -> WatchedPairing:
        """Give a line's pairing, watched."""
        [own] = self.generations
        return WatchedPairing(here.get().station, peer.name, own.keys, own.card, peer)


def card_at(path: Path) -> Any:
    """Stand in for read_card."""
    options = here.get().station.world.options
    return crypto.identity(path.name, options.seed, real=options.real)[1]


CLOCK = SimpleNamespace(time_ns=wall_ns)
__all__ = ["CLOCK", "WALL_NS", "DaemonLog", "DaemonStation", "WatchedRunner"]
