"""Carries out what one line decides: timers, dialling, connections, commits, reports."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import trio

from hotline.daemon.clock import moment
from hotline.daemon.connection import Connection, tune
from hotline.daemon.dialling import DialFailedError
from hotline.errors import StoreError, StoreFullError
from hotline.line.effects import Commit, Dial, Effect, Hangup, Report, Writable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hotline.daemon.writer import Writer
    from hotline.errors import RefusedError
    from hotline.line.accepting import Accepted, QueueLimits
    from hotline.line.line import Line
    from hotline.line.moment import Moment
    from hotline.model import Outgoing

T = TypeVar("T")


class Runner:
    """One line at work. Everything here happens on the event loop."""

    def __init__(
        self,
        line: Line,
        connections: dict[int, Connection],
        writer: Writer,
        report: Callable[[Line, Report], None],
        dial: Callable[[str], Awaitable[trio.SocketStream]],
    ) -> None:
        """Share connections (by conn) with whoever lets the line ask after them."""
        self.line = line
        self._connections = connections
        self._writer = writer
        self._report = report
        self._make_connection = dial
        self._poked = trio.Event()
        self._wake_at = 0.0
        self._nursery: trio.Nursery | None = None
        self._ended = trio.Event()

    async def run(self) -> None:
        """Keep the line's timers until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self.perform(self.line.start(moment()))
            while True:
                self._poked = trio.Event()
                with trio.move_on_at(self._wake_at):
                    await self._poked.wait()
                    continue
                self.perform(self.line.wake(moment()))

    async def stop(self, *, failed: bool = False, reconfigured: bool = False) -> None:
        """End every session with a close frame, and wait until the farewells have left."""
        self.perform(self.line.stop(moment(), failed=failed, reconfigured=reconfigured))
        while self._connections:
            self._ended = trio.Event()
            await self._ended.wait()

    def perform(self, effects: list[Effect]) -> None:
        """Carry out effects in order; commits first, so that the disk does not wait for the log."""
        self._writer.submit([self._bound(one) for one in effects if isinstance(one, Commit)])
        for effect in effects:
            if isinstance(effect, Writable):
                connection = self._connections.get(effect.conn)
                if connection is not None:
                    connection.writable()
            elif isinstance(effect, Report):
                self._report(self.line, effect)
            elif isinstance(effect, Dial):
                self._start(self._dial, effect)
            elif isinstance(effect, Hangup):
                self._hang_up(effect)
        wake_at = self.line.deadline(moment())
        if wake_at < self._wake_at or self._wake_at <= trio.current_time():
            self._poked.set()
        self._wake_at = wake_at

    def _bound(self, commit: Commit) -> Commit:
        """Give commit so that what its outcome leads to is performed here."""

        def done(outcome: Any, then: Moment) -> list[Effect]:
            self.perform(commit.done(outcome, then))
            return []

        return Commit(commit.work, done, commit.after)

    async def request(
        self,
        work: Callable[[Any], T],
        then: Callable[[T, Moment], list[Effect]],
        *,
        fetch: bool,
    ) -> T:
        """Make an operator's request durable and give its result; raises the HotlineError it met.

        With fetch, the line looks into its queue in the same transaction.
        """
        reply: Reply[T] = Reply()

        def done(outcome: Any, at: Moment) -> list[Effect]:
            reply.told(outcome)
            return [] if isinstance(outcome, Exception) else then(outcome, at)

        effects: list[Effect] = [Commit(work, done)]
        if fetch:
            effects += self.line.queued(moment())
        self.perform(effects)
        return await reply.wait()

    async def accept(
        self, messages: Sequence[Outgoing], bounds: QueueLimits, submitted: Callable[[], None]
    ) -> list[Accepted | RefusedError]:
        """Make an operator's messages durable and give the answer to each; raises HotlineError.

        What can go at once is sealed by the very fsync that accepts it. ``submitted`` is called once
        the messages have their place in the order of commits.
        """
        reply: Reply[list[Accepted | RefusedError]] = Reply()
        self.perform(self.line.sending.accept(messages, bounds, reply.told, moment()))
        submitted()
        return await reply.wait()

    def retry(self) -> Reply[None]:
        """Try now; the reply is an error if a halt stays because the disk cannot take its end."""
        reply: Reply[None] = Reply()
        self.perform(self.line.retry(moment(), reply.told))
        return reply

    def host(self, conn: int) -> str:
        """Give the address at the other end of a connection; empty if it is gone."""
        connection = self._connections.get(conn)
        return connection.host if connection is not None else ""

    def adopt(
        self, stream: trio.SocketStream, address: str, unit: bytes
    ) -> Callable[[], Awaitable[None]] | None:
        """Take a caller; gives what serves it, or None if its first unit does not verify after all."""
        conn = self.line.called(address, moment())
        effects = self.line.received(conn, unit, moment())
        genuine = self.line.knows(conn)
        self.perform(effects)
        return partial(self._serve, conn, stream) if genuine else None

    def _start(self, task: Callable[..., Any], *arguments: Any) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(task, *arguments)

    def _hang_up(self, effect: Hangup) -> None:
        connection = self._connections.get(effect.conn)
        if connection is not None:
            connection.hang_up(effect.farewell)

    async def _dial(self, effect: Dial) -> None:
        try:
            stream = await self._make_connection(effect.address)
        except DialFailedError as error:
            self.perform(self.line.dial_failed(effect.conn, error.trouble, str(error), moment()))
            return
        await self._serve(effect.conn, stream, dialled=True)

    async def _serve(self, conn: int, stream: trio.SocketStream, *, dialled: bool = False) -> None:
        tune(stream)
        connection = Connection(
            stream,
            lambda most_bytes: self.line.pull(conn, most_bytes),
            lambda data: self.perform(self.line.received(conn, data, moment())),
            lambda trouble: self.perform(self.line.ended(conn, trouble, moment())),
        )
        self._connections[conn] = connection
        try:
            if dialled:
                self.perform(self.line.connected(conn, moment()))
            if not self.line.knows(conn):  # given up while this task had not begun
                connection.hang_up(b"")
            connection.writable()
            await connection.run()
        finally:
            del self._connections[conn]
            self._ended.set()


class Reply(Generic[T]):
    """What an operator waits for: told on the event loop once it is durable."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._outcomes: list[Any] = []

    def told(self, outcome: Any) -> None:
        """End the wait."""
        self._outcomes.append(outcome)
        self._event.set()

    async def wait(self) -> T:
        """Give the outcome, or raise the HotlineError that it is."""
        await self._event.wait()
        [outcome] = self._outcomes
        if isinstance(outcome, Exception):
            raise _doubtful(outcome)
        result: T = outcome
        return result


def _doubtful(error: Exception) -> Exception:
    """Give the error as whoever asked for a commit must hear it."""
    if not isinstance(error, StoreError) or isinstance(error, StoreFullError):
        return error
    # Nobody knows before the next start what a failed fsync has left on the disk.
    doubt = StoreError(
        str(error),
        hint="it may be done or not: once the daemon runs again, say it again (a message under the"
        " same id)",
    )
    doubt.__cause__ = error
    return doubt
