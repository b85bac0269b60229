"""Carries out what one line decides, as hotline/daemon/runner.py and connection.py do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim import network

from hotline.limits import SEND_BYTES
from hotline.line.effects import Commit, Dial, Effect, Report, Writable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sim.network import End
    from sim.station import Station

    from hotline.line.accepting import QueueLimits
    from hotline.line.line import Line
    from hotline.line.moment import Moment
    from hotline.model import Outgoing


class Socket:
    """One connection of a line: bytes between its end and the line."""

    def __init__(self, runner: Runner, conn: int, end: End) -> None:
        self.runner = runner
        self.conn = conn
        self.end = end
        self.closing = False
        self._pumping = False
        end.on_data = self._arrived
        end.on_end = lambda how: runner.station.when(lambda: self._ended(how))
        end.on_room = self.writable

    def writable(self) -> None:
        """Bytes wait: another task pulls them, after what is being done now."""
        if not self._pumping and not self.closing:
            self._pumping = True
            self.runner.station.later(0.0, self._pump)

    def _pump(self) -> None:
        self._pumping = False
        world = self.runner.station.world
        while not self.closing and self.end.open:
            if self.end.out.queued_bytes >= world.options.send_buffer:
                return
            data = self.runner.pull(self.conn)
            if not data:
                return
            self.end.out.put(data)

    def hang_up(self, farewell: bytes) -> None:
        """Send farewell after what is under way, and close; nothing more is received."""
        self.closing = True
        self.runner.sockets.pop(self.conn, None)
        self.end.close(farewell)

    def _arrived(self, data: bytes) -> None:
        genuine = not (self.end.spliced or self.end.tampered)
        self.runner.station.when(lambda: self._received(data, genuine=genuine))

    def _received(self, data: bytes, *, genuine: bool) -> None:
        if not self.closing and self.runner.station.alive:
            if genuine:
                self.runner.heard()
            self.runner.tell(lambda line, at: line.received(self.conn, data, at))

    def _ended(self, how: str) -> None:
        if not self.closing and self.runner.station.alive:
            self.closing = True
            self.runner.sockets.pop(self.conn, None)
            self.runner.tell(lambda line, at: line.ended(self.conn, how, at))


class Runner:
    """One line at work."""

    def __init__(self, station: Station, peer: str) -> None:
        self.station = station
        self.peer = peer
        self.line: Line
        self.sockets: dict[int, Socket] = {}
        self._was_sending = False
        self.agreed: int | None = None
        """The connection on which the line stood last."""
        self._alarm = 0.0

    def start(self) -> None:
        """Begin."""
        self.tell(lambda line, at: line.start(at))

    @property
    def sending(self) -> bool:
        """Tell whether entries were in flight before the last input."""
        return self._was_sending

    def heard(self) -> None:
        """Bytes came in that the peer's station sent and nobody touched: noted outside the line."""
        world = self.station.world
        world.checker.heard[self.station.identity, self.peer] = world.now

    def kernel_took_all(self, conn: int) -> bool | None:
        """Answer as TIOCOUTQ would."""
        socket = self.sockets.get(conn)
        return None if socket is None else not socket.end.out.unacknowledged

    def tell(self, act: Callable[[Line, Moment], list[Effect]]) -> None:
        """Tell the line something, and carry out what follows."""
        if self.station.alive:
            self.perform(act(self.line, self.station.moment()))
            self._was_sending = self.line.sending.waiting_since is not None

    def perform(self, effects: list[Effect]) -> None:
        """Carry out effects in order; commits are handed over last, all at once."""
        world, commits = self.station.world, []
        world.checker.effects(self, effects)
        for effect in effects:
            if isinstance(effect, Commit):
                commits.append(self._bound(effect))
            elif isinstance(effect, Writable):
                socket = self.sockets.get(effect.conn)
                if socket is not None:
                    socket.writable()
            elif isinstance(effect, Report):
                world.reports.reported(self, effect)
            elif isinstance(effect, Dial):
                world.trace(self.station.name, "dials", effect.address, effect.conn)
                self._dial(effect)
            else:
                socket = self.sockets.get(effect.conn)
                if socket is not None:
                    socket.hang_up(effect.farewell)
        self.station.writer.submit(commits)
        self._set_alarm()
        world.checker.after_input(self)

    def _bound(self, commit: Commit) -> Commit:
        def done(outcome: Any, then: Moment) -> list[Effect]:
            self.perform(commit.done(outcome, then))
            return []

        return Commit(commit.work, done, commit.after)

    def request(
        self,
        work: Callable[[Any], Any],
        told: Callable[[Any], None],
        *,
        fetch: bool,
    ) -> None:
        """Make an operator's request durable and tell its outcome, as Runner.request does."""

        def done(outcome: Any, at: Moment) -> list[Effect]:
            told(outcome)
            return [] if isinstance(outcome, Exception) else self.line.recorded(outcome[0], at)

        effects: list[Effect] = [Commit(work, done)]
        if fetch:
            effects += self.line.queued(self.station.moment())
        self.perform(effects)

    def accept(
        self, messages: Sequence[Outgoing], bounds: QueueLimits, told: Callable[[Any], None]
    ) -> None:
        """Make an operator's messages durable and tell the outcome, as Runner.accept does."""
        self.perform(self.line.sending.accept(messages, bounds, told, self.station.moment()))

    def pull(self, conn: int) -> bytes:
        """Give bytes for a socket; the checker looks at the records that it makes."""
        self.station.world.checker.pulled(self, conn)
        return self.line.pull(conn, SEND_BYTES)

    def serve(self, conn: int, end: End, *, dialled: bool = False) -> None:
        """Move bytes of a connection from now on."""
        socket = self.sockets[conn] = Socket(self, conn, end)
        if dialled:
            self.tell(lambda line, at: line.connected(conn, at))
        if not self.line.knows(conn):
            socket.hang_up(b"")
        else:
            socket.writable()

    def _dial(self, effect: Dial) -> None:
        station = self.station
        world, life = station.world, station.life

        def answered(trouble: str) -> None:
            if not station.alive or station.life != life:
                return
            if trouble:
                station.when(
                    lambda: self.tell(
                        lambda line, at: line.dial_failed(effect.conn, trouble, "", at)
                    )
                )
                return
            if target is None:
                return
            near, far = world.join(station.name, target)
            world.call(target, far)
            station.when(lambda: self.serve(effect.conn, near, dialled=True))

        target = world.resolve(effect.address)
        if target is None:
            station.later(world.random.uniform(0.001, 3.0), lambda: answered("unreachable"))
        else:
            network.dial(world, station.name, target, answered)

    def _set_alarm(self) -> None:
        deadline = self.line.deadline(self.station.moment())
        if deadline == float("inf") or deadline == self._alarm:
            return
        self._alarm = deadline
        station, life = self.station, self.station.life

        def ring() -> None:
            if station.alive and station.life == life and self._alarm == deadline:
                self._alarm = 0.0
                station.when(self._wake)

        station.world.at(max(station.world_time(deadline), station.world.now), ring)

    def _wake(self) -> None:
        if not self.station.alive:
            return
        self.tell(lambda line, at: line.wake(at))
        self.station.world.checker.woken(self)
