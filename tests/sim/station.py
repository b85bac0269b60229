"""One station in the simulated world: what the daemon does for its lines, without the daemon.

Sockets, listener, timers and group commit behave as in hotline/daemon (connection.py, listener.py,
runner.py, writer.py); each place says so where an order of events matters.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from sim import crypto
from sim.pairing import WatchedPairing
from sim.runner import Runner
from sim.writer import Writer

from hotline.errors import HotlineError, StoreError
from hotline.limits import HANDSHAKE_TIMEOUT_S, UNIT_BYTES
from hotline.line.door import Door
from hotline.line.line import Line
from hotline.line.moment import Moment
from hotline.line.world import World as LineWorld
from hotline.store import lines as store_lines
from hotline.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.disk import Disk
    from sim.network import End
    from sim.world import World

    from hotline.model import LineRecord

WALL_NS = 1_700_000_000 * 10**9
_EXIT_S = 1.5
_RESTART_S = (0.2, 5.0)


class Station:
    """A host, its disk, and the daemon on it while it runs."""

    def __init__(self, world: World, name: str, disk: Disk, *, clone_of: Station | None) -> None:
        self.world = world
        self.name = name
        self.identity: str = clone_of.identity if clone_of else name
        self.is_clone = clone_of is not None
        options = world.options
        self.keys, self.card = crypto.identity(self.identity, options.seed, real=options.real)
        self.disk = disk
        self.powered = True
        self.alive = False
        self.stopping = False
        self.failed = False
        self.was_full = False
        self.full_at = -1e9
        self.dies_untold = False
        self.frozen = False
        self.wall_step_ns = 0
        self.store: SqliteStore
        self.writer: Writer
        self.runners: dict[str, Runner] = {}
        self.durable_records: dict[str, LineRecord] = {}
        """What has been synced, by peer."""
        self._deferred: list[Callable[[], None]] = []
        self._door = Door()
        self.life = 0
        self._uptime_base = 0
        self._ordered_at = 0.0

    # --- time and life ---

    def moment(self) -> Moment:
        """Give now by this station's clocks; the monotonic one starts anew with each life."""
        now = self.world.now
        return Moment(now + self._uptime_base, WALL_NS + int(now * 1e9) + self.wall_step_ns)

    def world_time(self, monotonic: float) -> float:
        """Give when a moment of our monotonic clock comes: never early, as with any timer."""
        return monotonic - self._uptime_base + 1e-6

    def when(self, action: Callable[[], None]) -> None:
        """Do something here, or when the host thaws."""
        if self.frozen:
            life = self.life
            self._deferred.append(lambda: action() if self.life == life else None)
        else:
            action()

    def later(self, delay_s: float, action: Callable[[], None], *, ordered: bool = False) -> None:
        """Do something after a while, in this life; ``ordered`` ones keep their order."""
        life, due = self.life, self.world.now + delay_s
        if ordered:
            due = self._ordered_at = max(due, self._ordered_at)

        def act() -> None:
            if self.life == life and self.alive:
                self.when(action)

        self.world.at(due, act)

    def start(self) -> None:
        """Open the store and begin; on a failing disk, try again later."""
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
        # All that is committed is in the database now, and synced; what the last process left
        # unsynced in the log is of no transaction.
        self.disk.rolled_back()
        self.life += 1
        self.alive, self.stopping, self.failed = True, False, False
        self.frozen, self._deferred = False, []
        self._uptime_base = self.world.random.randrange(1, 10_000)
        self._ordered_at = self.world.now
        self.writer = Writer(self)
        self._door = Door()
        self.runners = {}
        self.world.trace(self.name, "starts", self.life)
        try:
            for peer in self.world.peers_of(self):
                self._add_line(peer)
        except StoreError as error:
            self.world.trace(self.name, "cannot start", type(error).__name__, error)
            self._gone()
            self.world.after(_RESTART_S[1], self.start)
            return
        self.world.checker.started(self)
        for runner in self.runners.values():
            self._door.add(runner.line)
            runner.start()
            self.world.rotation.take_up(runner)

    def _add_line(self, peer: str) -> None:
        options = self.world.options
        _, card = crypto.identity(peer, options.seed, real=options.real)
        number = self.store.add_line(peer, card.id)
        self.durable()
        record = next(r for r in self.store.read(lambda r: r.lines()) if r.line == number)
        pairing = WatchedPairing(self, peer, self.keys, self.card, card)
        self.world.rotation.known(pairing, self, peer)
        self.world.rotation.remember(pairing, self, number)
        runner = Runner(self, peer)
        line_world = LineWorld(
            self.world.ephemerals,
            self.world.random.random,
            runner.kernel_took_all,
            self.disk.has_room,
        )
        addresses = options.addresses(self.identity, peer)
        runner.line = Line(
            pairing, record, line_world, addresses, options.heartbeat_s[self.identity]
        )
        self.runners[peer] = runner

    def durable(self) -> None:
        """A transaction is over: note what the disk would still have after a power loss."""
        records = store_lines.every(self.store._database)
        for record in records:
            self.world.checker.committed(self, record)
        if not self.disk.unsynced:
            for record in records:
                self.durable_records[record.name] = record
        self.world.losing.committed(self)
        if self.was_full:
            self.was_full = False
            self.world.mark("a full disk took commits again")

    # --- ends of life ---

    def crash(self) -> None:
        """The process is killed: the kernel closes its sockets, the page cache stays."""
        if self.alive and self.writer.untold:
            self.world.mark("crash between commit and answer")
        self._gone()

    def lose_power(self) -> None:
        """The host goes dark: nothing is sent any more, and what was not synced is lost."""
        if any(image.pending for image in self.disk.images.values()):
            self.world.mark("power loss with an unsynced tail")
        if self.alive and self.writer.untold:
            self.world.mark("power loss between commit and answer")
        self.powered = False
        for end in self.world.ends_of(self.name):
            end.vanish()
        self._gone()
        self.disk.lose_power(self.world.disk_random)

    def died_at_the_disk(self) -> None:
        """The process ended in the midst of a write."""
        self.world.mark("death in the midst of a write")
        self.world.after(0.0, self.world.chaos.after_death(self))
        self._gone()

    def died_untold(self) -> None:
        """The process, or its host, is gone after a commit and before its outcome is told."""
        self.dies_untold = False
        self.world.after(0.0, self.world.chaos.after_death(self))
        self.crash()

    def store_failed(self, error: StoreError) -> None:
        """Sign nothing more, and go; a supervisor starts us anew."""
        self.world.trace(self.name, "store failed", error)
        self.world.mark("exit on an I/O error")
        self.later(0.0, self._exit, ordered=True)

    def _exit(self) -> None:
        self.failed = True
        self.stop()

    def stop(self) -> None:
        """Stop in good order; come back after a while."""
        if self.stopping or not self.alive:
            return
        self.stopping = True
        for runner in self.runners.values():
            runner.tell(lambda line, at: line.stop(at))
        life = self.life

        def leave() -> None:
            if self.alive and self.life == life:
                self._gone(orderly=True)
                self.world.after(self.world.random.uniform(*_RESTART_S), self.start)

        self.world.after(_EXIT_S, leave)

    def _gone(self, *, orderly: bool = False) -> None:
        if not self.alive:
            return
        self.world.trace(self.name, "is gone")
        self.world.recovering.ended(self)
        self.alive = False
        self.frozen = False
        self.life += 1
        for end in self.world.ends_of(self.name):
            end.close()
        for runner in self.runners.values():
            runner.sockets.clear()
        # A store that is closed in good order moves its log; a process that is gone does nothing.
        self.disk.dead = not orderly
        with suppress(HotlineError):
            self.store.close()
        self.world.operators.lost_answers(self)

    def freeze(self, duration_s: float) -> None:
        """The host stalls (a paused machine): time goes on, nothing here does."""
        if self.alive and not self.frozen:
            self.frozen = True
            life = self.life
            self.world.after(duration_s, lambda: self._thaw(life))

    def _thaw(self, life: int) -> None:
        if self.life != life or not self.frozen:
            return
        self.frozen = False
        deferred, self._deferred = self._deferred, []
        for action in deferred:
            action()

    # --- callers ---

    @property
    def listening(self) -> bool:
        """Tell whether a connection would be accepted."""
        return self.alive

    def answer(self, end: End) -> None:
        """A connection came in: hold it until one unit tells whose it is (daemon/listener.py)."""
        _Caller(self, end)

    def adopt(self, end: End, unit: bytes) -> Callable[[], None] | None:
        """Take a caller whose unit has one of our macs; gives what serves it, or None."""
        line = self._door.identify(unit)
        if line is None:
            return None
        runner = next(one for one in self.runners.values() if one.line is line)
        conn = line.called(end.other.host, self.moment())
        effects = line.received(conn, unit, self.moment())
        genuine = line.knows(conn)
        if genuine:
            self._door.remember(line, unit)
        runner.perform(effects)
        return partial(runner.serve, conn, end) if genuine else None

    # --- reading ---

    def read(self, work: Callable[[Any], Any]) -> Any:
        """Read the store, as an operator may."""
        try:
            return self.store.read(work)
        except HotlineError:
            return None


class _Caller:
    """A connection that has not proven whose it is."""

    def __init__(self, station: Station, end: End) -> None:
        self._station = station
        self._end = end
        self._unit = b""
        self._asked = False
        end.on_data = lambda data: station.when(lambda: self._received(data))
        end.on_end = lambda _how: None
        station.later(HANDSHAKE_TIMEOUT_S, self._timed_out)

    def _timed_out(self) -> None:
        if not self._asked:
            self._end.close()

    def _received(self, data: bytes) -> None:
        if self._asked or not self._station.alive or not self._end.open:
            return
        missing = UNIT_BYTES - len(self._unit)
        self._unit += data[:missing]
        if len(self._unit) < UNIT_BYTES:
            return
        self._asked = True
        self._station.world.attacker.saw_first_unit(self._station, self._unit)
        serve = self._station.adopt(self._end, self._unit)
        if serve is None:
            self._station.world.mark("a stranger was held without an answer")
            self._end.on_data = lambda _data: None
            self._station.later(HANDSHAKE_TIMEOUT_S, self._end.close)
            return
        serve()
        if data[missing:]:
            self._end.on_data(data[missing:])
