"""The station at work: store, lines, callers and operators, put together and kept together."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from hotline import __version__
from hotline.daemon import rotation, views
from hotline.daemon.answers import Answers
from hotline.daemon.clock import moment
from hotline.daemon.identity import Identity
from hotline.daemon.listener import Listener, Pending
from hotline.daemon.pairings import add, look, pair
from hotline.daemon.questions import Questions
from hotline.daemon.rate_limit import RateLimit
from hotline.daemon.runner import Runner
from hotline.daemon.sources import Sources
from hotline.daemon.telling import Teller
from hotline.daemon.trust import Trust, halt_of, line_notices, station_notices
from hotline.daemon.watching import Watches
from hotline.daemon.writer import Writer
from hotline.errors import ConfigError, RefusedError, StoreError, StoreFullError
from hotline.line.accepting import QueueLimits
from hotline.line.door import Door
from hotline.line.line import Line
from hotline.line.lineage import Generation
from hotline.line.world import World
from hotline.model import Mark
from hotline.text import utc_microseconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from hotline.daemon.config import LineConfig, StationConfig
    from hotline.daemon.connection import Connection
    from hotline.daemon.logs import Logs
    from hotline.daemon.machine import Machine
    from hotline.identity.courierkey import CourierKey
    from hotline.identity.keyfile import PassphraseSource
    from hotline.line.effects import Effect, Report
    from hotline.line.moment import Moment
    from hotline.line.pairing import Pairing
    from hotline.model import LineRecord
    from hotline.store.interface import Reader, Store
    from hotline.store.views import Damaged, Pass

T = TypeVar("T")

_STOP_S: Final = 1.5
"""For close frames and last answers to leave; the rest of the two seconds is the store's."""

_KEY_EVENTS: Final = {"key_change_confirmed", "peer_keys_changed"}
"""Reports that whoever is on watch is told, for they may concern a stolen key."""

_PROGRESS: Final = {"receipt_taken", "entries_applied", "message_expired"}
"""Reports after which the state of some message may have changed."""


class Station:
    """All of one daemon but its sockets for callers and operators, which ``run`` opens."""

    def __init__(
        self,
        config: StationConfig,
        identity: Identity,
        store: Store,
        logs: Logs,
        machine: Machine,
    ) -> None:
        """Put a station together; must be called inside trio."""
        self.config = config
        self.watches = Watches(self._attend)
        self.answers = Answers()
        self.failure: StoreError | None = None
        self.stop_asked = trio.Event()
        self._identity = identity
        self._store = store
        self._logs = logs
        self._door = Door()
        self._sources = Sources()
        self._pending = Pending(self._sources)
        self._runners: dict[str, Runner] = {}
        self._scopes: dict[str, trio.CancelScope] = {}
        self._trust: dict[str, Trust] = {}
        self._nursery: trio.Nursery | None = None
        self._reloading = trio.Lock()
        self._strangers = RateLimit(self._log_stranger)
        self._machine = machine
        self._writer = Writer(store, self._store_failed, machine.worker())
        self._questions = Questions(
            store, machine.in_thread, self._store_failed, logs.daemon, self._writer.move_wal
        )
        self._teller = Teller(self.watches, self._questions, logs.daemon)
        self._old_keys = rotation.OldKeys(identity, logs.daemon.warning)

    # --- life ---

    async def run(self, serve: Callable[[trio.Nursery], Any]) -> None:
        """Work until ``stop_asked`` is set; serve(nursery) opens the doors once all lines are ready."""
        self._writer.start()
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._writer.watch)
                pairings = pair(self._identity, self.config.lines)
                self._sources.expect(self.config.lines)
                for line in self.config.lines:
                    await self._add(line, pairings[line.name])
                self._look_at_old_keys()
                nursery.start_soon(self._teller.run)
                nursery.start_soon(self._strangers.run)
                await serve(nursery)
                self._log("daemon_started", version=__version__, lines=self.line_names())
                await self.stop_asked.wait()
                self._log("daemon_stopping")
                await self._say_goodbye()
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await self._writer.close()
        self._writer.check()

    async def _say_goodbye(self) -> None:
        for name in self._runners:  # who calls now would have a session cut without a word
            self._door.remove(name)
        with trio.move_on_after(_STOP_S):
            async with trio.open_nursery() as nursery:
                for runner in self._runners.values():
                    nursery.start_soon(partial(runner.stop, failed=self.failure is not None))
            await self.answers.written()  # also whoever asked for what has failed hears of it

    def _store_failed(self, error: StoreError) -> None:
        """Sign nothing more, and go: only a fresh start can tell what is on the disk."""
        if self.failure is not None:
            return  # a question and a commit may both have met it
        self.failure = error
        self._logs.daemon.critical(
            "store_failed", why=str(error), hint=error.hint, exc_info=error.__cause__
        )
        self.stop_asked.set()

    # --- lines ---

    async def _add(self, config: LineConfig, pairing: Pairing) -> None:
        with self._questions.judged():
            record, trust = await self._writer.run(partial(add, self._store, config.name, pairing))
        self._trust[config.name] = trust
        if trust.verified is not None:
            self._log_verified(config.name, trust.verified)
        if trust.revoked is not None:
            pairing.revoked = halt_of(trust.revoked)
            self._sources.forget(config.name)
            self._log_revoked(config.name, trust.revoked)
        runner = self._make(config, pairing, record)
        self._runners[config.name] = runner
        if trust.revoked is None:
            self._door.add(runner.line)
        scope = self._scopes[config.name] = trio.CancelScope()

        async def keep() -> None:
            with scope:
                await runner.run()

        if self._nursery is not None:
            self._nursery.start_soon(keep)
            self._nursery.start_soon(rotation.take_up, self._identity, runner)

    def _make(self, config: LineConfig, pairing: Pairing, record: LineRecord) -> Runner:
        connections: dict[int, Connection] = {}

        def kernel_took_all(conn: int) -> bool | None:
            connection = connections.get(conn)
            return None if connection is None else connection.kernel_took_all()

        machine = self._machine
        world = World(
            machine.ephemerals, machine.uniform, kernel_took_all, self._questions.has_room
        )
        line = Line(pairing, record, world, config.to_dial, config.heartbeat_s)
        line.attend(attended=self.watches.attended(config.name))
        return Runner(line, connections, self._writer, self._reported, machine.dial)

    async def reload(self, config: StationConfig) -> None:
        """Take lines, addresses and heartbeats anew; the rest needs a restart.

        Raises HotlineError, and changes nothing, if a file or the record does not allow it, or the
        disk has no room.
        """
        async with self._reloading:
            pairings = pair(self._identity, config.lines)
            # Another card or secret under the same name is another line.
            kept = {
                name
                for name, runner in self._runners.items()
                if name in pairings and runner.line.pairing.psk == pairings[name].psk
            }
            for name in kept:
                await self._refuse_revoked(name, pairings[name])
            await self._prepare({name: one for name, one in pairings.items() if name not in kept})
            self.config = replace(
                self.config,
                lines=config.lines,
                verify_days=config.verify_days,
                key_days=config.key_days,
            )
            self._sources.expect(config.lines)
            for name in kept:
                if self._runners[name].line.pairing.revoked is not None:
                    self._sources.forget(name)
            self._old_keys.note(self._identity, self._usable())
            # One line must have ended before another may work on its log, under a new name.
            await self._remove(self._runners.keys() - kept)
            for line in config.lines:
                if line.name in kept:
                    self._reconfigure(line, pairings[line.name])
                else:
                    await self._add_late(line, pairings[line.name])
            self._log("config_reloaded", lines=self.line_names())
            self._look_at_old_keys()

    async def _prepare(self, new: dict[str, Pairing]) -> None:
        """Do for new lines what may be refused, and nobody sees; raises HotlineError."""
        records = await self.read(
            lambda reader: {name: look(reader, name, one) for name, one in new.items()}
        )
        # What has a record first, for only that can be refused for what it is; and under the name
        # that it has there, under which it may be at work.
        for name in sorted(new, key=lambda name: records[name] is None):
            record, one = records[name], new[name]
            known = name if record is None else record.name
            with self._questions.judged():
                await self._writer.run(
                    partial(self._store.add_line, known, one.peer.id, one.own.id)
                )

    def _reconfigure(self, config: LineConfig, pairing: Pairing) -> None:
        line = self._runners[config.name].line
        for card in pairing.peers.cards:  # handed over since
            line.pairing.peers.add(Generation(card))
        effects = line.reconfigure(config.to_dial, config.heartbeat_s, moment())
        self._runners[config.name].perform(effects)

    async def _add_late(self, config: LineConfig, pairing: Pairing) -> None:
        if self.stop_asked.is_set():
            return  # the goodbyes are being said: a session of it would be cut without one
        try:
            await self._add(config, pairing)
        except StoreFullError as error:  # there was room a moment ago, and others have ended since
            self._logs.daemon.error(
                "line_not_added", line=config.name, why=str(error), hint=error.hint
            )

    async def _refuse_revoked(self, name: str, pairing: Pairing) -> None:
        ids = [card.id for card in pairing.peers.cards]
        trust = await self.read(lambda reader: Trust.read(reader, pairing.own.id, ids[0], ids))
        if trust.revoked is not None and self._trust[name].revoked is None:
            raise ConfigError(f"line {name}: a card that succeeds its own is revoked")

    async def _remove(self, names: Collection[str]) -> None:
        runners = []
        for name in names:
            self._door.remove(name)
            runners.append((self._runners.pop(name), self._scopes.pop(name)))
        with trio.move_on_after(_STOP_S):
            async with trio.open_nursery() as nursery:
                for runner, _ in runners:
                    nursery.start_soon(partial(runner.stop, reconfigured=True))
        for name, (_, scope) in zip(names, runners, strict=True):
            scope.cancel()
            self.watches.progressed(name)  # whoever waits for it should not

    # --- for callers ---

    async def call(self, stream: trio.SocketStream) -> None:
        """Deal with a caller; whatever one of them does, the others and the lines go on."""
        try:
            await Listener(self._pending, self._greet).hold(stream)
        except OSError as error:
            self._logs.daemon.warning("caller_lost", why=str(error))

    def _greet(
        self, stream: trio.SocketStream, address: str, unit: bytes
    ) -> Callable[[], Awaitable[None]] | None:
        line = self._door.identify(unit)
        if line is None:
            self._strangers.note(source=address)
            return None
        serve = self._runners[line.record.name].adopt(stream, address, unit)
        if serve is not None:  # nothing was waited for since the look: no copy has passed as well
            self._door.remember(line, unit)
        return serve

    def _log_stranger(self, source: str, count: int) -> None:
        self._log("stranger_ignored", source=source, count=count)

    # --- for operators ---

    def line_names(self) -> list[str]:
        """Give the names of all lines, in the order of the configuration."""
        return [line.name for line in self.config.lines if line.name in self._runners]

    def runner(self, name: str) -> Runner:
        """Give a line's runner; raises RefusedError if there is no such line."""
        runner = self._runners.get(name)
        if runner is None:
            known = ", ".join(sorted(self._runners)) or "none"
            raise RefusedError(
                "unknown-line", f"there is no line {name!r}", hint=f"the lines here are: {known}"
            )
        return runner

    def usable(self, name: str) -> Runner:
        """Give a line's runner; raises RefusedError also if its card is revoked."""
        runner = self.runner(name)
        if runner.line.pairing.revoked is not None:
            raise RefusedError(
                "revoked",
                f"the line {name} stands still: {runner.line.pairing.revoked.text}",
                hint="a line needs another card of that station's: hotline peer add CARD",
            )
        return runner

    def usable_names(self) -> list[str]:
        """Give the names of the lines whose card is not revoked."""
        return [n for n in self.line_names() if self._runners[n].line.pairing.revoked is None]

    async def verify(self, name: str, own_id: bytes, peer_id: bytes, operator: str) -> Trust:
        """Note that an operator compared the pair code of these two cards; raises RefusedError."""
        runner = self.usable(name)
        self._check_cards(runner, own_id, peer_id)
        mark = Mark(operator, moment().wall_ns)

        def noted(_: Any, __: Moment) -> list[Effect]:
            # Here, not after the wait: the name may belong to another card by then.
            self._trust[name] = replace(self._trust[name], verified=mark)
            self._log_verified(name, mark)
            return []

        await runner.request(
            lambda tx: tx.put_verification(own_id, peer_id, mark), noted, fetch=False
        )
        return self._trust[name]

    async def revoke(self, name: str, own_id: bytes, peer_id: bytes, operator: str) -> Trust:
        """Refuse a line's card for good; its sessions end as soon as the disk has it."""
        runner = self.runner(name)
        self._check_cards(runner, own_id, peer_id)
        mark = Mark(operator, moment().wall_ns)

        def end(_: Any, at: Moment) -> list[Effect]:
            self._door.remove(name)
            self._sources.forget(name)
            self._trust[name] = replace(self._trust[name], revoked=mark)
            self._log_revoked(name, mark)
            self._old_keys.note(self._identity, self._usable())
            effects = runner.line.revoke(halt_of(mark), at)
            self._look_at_old_keys()
            self.watches.progressed(name)  # nobody waits for a line that is revoked
            return effects

        if self._trust[name].revoked is None:
            await runner.request(lambda tx: tx.put_revocation(peer_id, mark), end, fetch=False)
        return self._trust[name]

    async def trust(self, peer_id: bytes) -> Trust:
        """Give what the store holds about a card, pinned or not."""
        own_id = self._identity.card.id
        return await self.read(lambda reader: Trust.read(reader, own_id, peer_id))

    def _check_cards(self, runner: Runner, own_id: bytes, peer_id: bytes) -> None:
        pairing = runner.line.pairing
        if (pairing.own.id, pairing.peer.id) != (own_id, peer_id):
            raise RefusedError(
                "other-card",
                f"the daemon runs the line {runner.line.record.name} with another card",
                hint="send it SIGHUP (kill -HUP), then look at the pair code again",
            )

    def _log_verified(self, name: str, mark: Mark) -> None:
        since = utc_microseconds(mark.at_ns)
        self._log("line_verified", line=name, operator=mark.operator, since=since)

    def _log_revoked(self, name: str, mark: Mark) -> None:
        since = utc_microseconds(mark.at_ns)
        self._logs.daemon.error("line_revoked", line=name, operator=mark.operator, since=since)

    def queue_limits(self, name: str) -> QueueLimits:
        """Give where a line's queue is full."""
        line = next(line for line in self.config.lines if line.name == name)
        return QueueLimits(line.queue_messages, line.queue_bytes)

    def check_disk(self) -> None:
        """Raise RefusedError if the disk has no room to promise anything."""
        self._questions.check_disk(self.config.state)

    async def read(self, work: Callable[[Reader], T]) -> T:
        """Read the store without holding up the event loop, however slow the disk is."""
        return await self._questions.read(work)

    async def read_round(self, work: Callable[[Reader, Pass], T]) -> tuple[T, list[Damaged]]:
        """Read, and go round what is damaged; gives that too."""
        return await self._questions.read_round(work)

    def courier_key(self) -> CourierKey:
        """Give this station's courier key, signed."""
        lines = self._usable()
        if lines:  # as the peers know us
            return lines[0].line.pairing.speaking().courier_key
        return self._identity.courier_key()

    async def aside(self, work: Callable[[], T]) -> T:
        """Do what only computes without holding up the event loop."""
        done: T = await self._machine.in_thread(work)
        return done

    def status(self) -> dict[str, Any]:
        """Give the status object."""
        now = moment()
        return {
            "station": self.config.name,
            "station_id": self._identity.newest.id.hex(),
            "version": __version__,
            "on_watch": len(self.watches),
            "key_created_at": utc_microseconds(self._identity.newest.created_ns),
            "notices": station_notices(self._identity.newest.created_ns, self.config, now.wall_ns),
            "key_change": rotation.status(self._identity, self._usable()),
            "lines": [self._line_status(name, now) for name in self.line_names()],
        }

    def _line_status(self, name: str, now: Moment) -> dict[str, Any]:
        line, trust = self._runners[name].line, self._trust[name]
        made_ns = line.pairing.peers[line.pairing.peers.newest_in_log].card.created_ns
        return views.line(line, now, trust, line_notices(trust, made_ns, self.config, now.wall_ns))

    # --- new keys ---

    def _usable(self) -> list[Runner]:
        return [self._runners[name] for name in self.usable_names()]

    def check_rotation(self) -> int:
        """Give the number of the next keys; raises RefusedError if it is no time for them."""
        return rotation.check(self._identity, self._usable())

    async def rotate(self, passphrase: PassphraseSource | None, operator: str) -> None:
        """Take up the new keys that stand beside the old ones; raises HotlineError."""
        async with self._reloading:
            identity = await trio.to_thread.run_sync(
                Identity, self.config, passphrase, self._identity
            )
            self._log("keys_taken_up", id=identity.newest.id.hex(), operator=operator)
            self._identity = identity
            if self._nursery is not None:
                for runner in self._usable():
                    self._nursery.start_soon(rotation.take_up, identity, runner)

    def _look_at_old_keys(self) -> None:
        # A line that is on its way in is in no list yet, and its peer may be waited for.
        if all(line.name in self._runners for line in self.config.lines):
            self._old_keys.look(self._identity, self._usable())

    def recovery_asked(self, line: str, operator: str) -> None:
        """Log who had a line recovered: it must be traceable to a person."""
        self._logs.daemon.warning("recovery_asked", line=line, operator=operator)

    def _attend(self) -> None:
        for name, runner in self._runners.items():
            runner.perform(runner.line.set_attended(self.watches.attended(name), moment()))

    # --- what happens ---

    def _log(self, event: str, **fields: Any) -> None:
        self._logs.daemon.info(event, **fields)

    def _reported(self, line: Line, report: Report) -> None:
        """Log what a line reports, and tell whoever watches or waits."""
        if report.event == "heartbeat":
            self._logs.heartbeat.info("heartbeat", **report.fields)
            return
        getattr(self._logs.daemon, report.level)(report.event, **report.fields)
        name = line.record.name
        if report.event == "line_state":
            self._logs.heartbeat.info("line_state", **report.fields)
            fields = {key: report.fields[key] for key in ("state", "reason", "detail")}
            self._teller.tell(name, "state", fields)
        elif report.event == "session_opened" and name in self._runners:
            self._sources.met(name, self._runners[name].host(report.fields["conn"]))
        elif report.event in _KEY_EVENTS:
            self._teller.tell(name, "keys", {"what": report.event, "id": report.fields["id"]})
            if report.event == "key_change_confirmed":
                self._old_keys.confirmed()
                self._look_at_old_keys()
        elif report.event in _PROGRESS:
            self.watches.progressed(name)
            self._teller.progress(line, report)
