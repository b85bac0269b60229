"""A small world for two lines: virtual time, virtual TCP, real stores, one seed.

The fault model, so that nobody takes it for kinder or crueller than it is:

- time is a number; events happen in the order of (time, sequence), and take none of it themselves;
- a connection carries bytes in order, at a rate and with a delay, in pieces of any size; it can be
  cut (what is under way is lost from some byte on), or clogged one way or both (what is under way
  waits, dials time out) and healed;
- a commit takes a while, and other commits gather behind it, as in the daemon; a crash while one is
  under way may leave it durable or not, and tells nobody;
- a full disk is told by the store (StoreFullError); a disk that lies is not modelled here.

What must hold always is checked here after every step, outside the lines (``_check``).
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Any, Final

from hotline.errors import HotlineError, StoreFullError
from hotline.identity import Card, SecretKeys
from hotline.identity.succession import Succession
from hotline.limits import HEARTBEAT_S, SEND_BYTES, UNIT_BYTES
from hotline.line import accepting, key_changes
from hotline.line.door import Door
from hotline.line.effects import Commit, Dial, Effect, Hangup, Report, Writable
from hotline.line.line import Line
from hotline.line.lineage import Generation
from hotline.line.moment import Moment
from hotline.line.pairing import Pairing
from hotline.line.world import World
from hotline.model import Acknowledged, Decision, Precedence, Side, State
from hotline.noise.ephemerals import system_ephemerals
from hotline.noise.kem import MLKEM1024
from hotline.store.sqlite import SqliteStore
from support.told import check_told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from hotline.line.liveness import LineState
    from hotline.model import LineRecord, Outgoing
    from hotline.store.views import MessageView

WALL_NS: Final = 1_700_000_000 * 10**9
EPHEMERALS: Final = system_ephemerals(MLKEM1024)
NAMES: Final = ("north", "south")

_WAKES_AT_ONCE: Final = 20
"""More wakes than this in one instant are a busy loop."""

_RANK: Final = {
    State.QUEUED: 0,
    State.SENT: 1,
    State.DELIVERED: 2,
    State.ACKNOWLEDGED: 3,
    State.EXPIRED: 9,
    State.CANCELLED: 9,
}


@cache
def identity(name: str) -> tuple[SecretKeys, Card]:
    """Give a station's keys and card, the same in every run; ``north`` has the smaller id."""
    salt = {"north": 0, "south": 1, "stranger": 2}[name]
    made = [SecretKeys.from_seeds(*(bytes([salt, n] * 16) for n in range(3)))]
    return made[0], Card.make(name, made[0], 1_600_000_000 * 10**9)


def successor(
    name: str, old: Card, old_keys: SecretKeys, number: int
) -> tuple[Succession, SecretKeys]:
    """Give a station's next keys, and the succession to them; the same in every run."""
    keys = SecretKeys.from_seeds(
        *(blake2b(f"{name} {number} {n}".encode(), digest_size=32).digest() for n in range(3))
    )
    time_ns = 1_600_000_000 * 10**9 + number
    return Succession.make(old, old_keys, Card.make(name, keys, time_ns), keys, time_ns), keys


def in_order() -> tuple[str, str]:
    """Give the names of the arbiter (the smaller station id) and of the other station."""
    first, second = sorted(NAMES, key=lambda name: identity(name)[1].id)
    return first, second


@dataclass
class Reply:
    """What an operator was answered; ``value`` is None until then."""

    value: Any = None


class End:
    """One station's end of a connection."""

    def __init__(self, world: LineWorld, station: Station, conn: int | None) -> None:
        self.world = world
        self.station = station
        self.conn = conn
        self.other: End
        self.open = True
        self.inbox: deque[bytes | str] = deque()
        """What has arrived: bytes, or the trouble that ends the stream."""
        self._first = b""
        self._sending = False
        self._farewell: bytes | None = None
        self._arrives_at = 0.0

    @property
    def unacknowledged(self) -> bool:
        """Tell whether bytes that left here have not reached the other end."""
        return self._sending or any(self.other.inbox)

    def pump(self) -> None:
        """Give the network what the line has, one buffer at a time."""
        if self._sending or self.conn is None or not self.station.alive:
            return
        if self._farewell is not None:
            farewell, self._farewell = self._farewell, None
            self._transmit(farewell, then="truncated")
            return
        if not self.open:
            return
        data = self.station.line.pull(self.conn, SEND_BYTES)
        assert len(data) % UNIT_BYTES == 0, "a part of a unit left the line"
        if data:
            self._transmit(data)

    def _transmit(self, data: bytes, then: str = "") -> None:
        self._sending = True
        world = self.world
        world.carried_bytes += len(data)
        takes_s = len(data) / world.rate if world.rate else 0.0
        pieces: list[bytes | str] = list(world.pieces(data))
        if then:
            pieces.append(then)

        def sent() -> None:
            self._sending = False
            delay_s = world.delay_s * world.random.uniform(1.0, 1.0 + world.jitter)
            self._arrives_at = max(self._arrives_at, world.now + delay_s)
            world.at(self._arrives_at, lambda: self.other.arrived(pieces))
            self.pump()

        world.at(world.now + takes_s, sent)

    def arrived(self, pieces: Iterable[bytes | str]) -> None:
        """Queue what came, and hand it over unless the way is clogged."""
        self.inbox.extend(pieces)
        self.drain()

    def drain(self) -> None:
        """Hand over what has come as far as the network lets it through."""
        while self.inbox and self.station.name not in self.world.clogged and self.station.alive:
            piece = self.inbox.popleft()
            if not self.open:
                continue
            if isinstance(piece, str):
                self.end(piece)
            elif self.conn is None:
                self._knock(piece)
            else:
                self._receive(self.conn, piece)

    def _receive(self, conn: int, data: bytes) -> None:
        self.station.do(lambda line, at: line.received(conn, data, at))

    def _knock(self, data: bytes) -> None:
        """Collect a caller's first unit, as the listener does."""
        self._first += data
        if len(self._first) < UNIT_BYTES:
            return
        unit, rest = self._first[:UNIT_BYTES], self._first[UNIT_BYTES:]
        line = self.station.door.identify(unit)
        if line is None:
            self.world.strangers += 1
            self.hang_up(b"")
            return
        conn = self.conn = line.called(self.other.station.name, self.station.moment())
        self.station.ends[conn] = self
        self._receive(conn, unit)
        if line.knows(conn):
            self.station.door.remember(line, unit)
        self.pump()
        if rest and self.open:
            self._receive(conn, rest)

    def end(self, trouble: str) -> None:
        """The stream ends here; the line is told."""
        self.open = False
        conn = self.conn
        self._send_end()
        if conn is not None and self.station.ends.pop(conn, None) is not None:
            self.station.do(lambda line, at: line.ended(conn, trouble, at))

    def hang_up(self, farewell: bytes) -> None:
        """The line lets go."""
        self.open = False
        self._farewell = farewell
        if self.conn is None:
            self._send_end()
        self.pump()

    def _send_end(self) -> None:
        other = self.other
        self.world.after(self.world.delay_s, lambda: other.arrived(["truncated"]))


class Station:
    """One station: a line, its store, and what the daemon does for them."""

    def __init__(self, world: LineWorld, name: str, path: Path) -> None:
        self.world = world
        self.name = name
        self.path = path
        self.keys, self.card = identity(name)
        self.successors: list[tuple[Succession, SecretKeys]] = []
        """What this station's key files hold beside the founding ones."""
        self.peers_successors: list[Succession] = []
        """Successions that the peer's operator has handed over."""
        self.destroyed = 0
        """How many of the oldest key files are gone."""
        self.alive = False
        self.heartbeat_s = HEARTBEAT_S
        self.addresses: tuple[str, ...] = ()
        self.full = False
        self.has_room = True
        self.commit_s: tuple[float, float] | None = None
        """What a commit takes here, if not what it takes everywhere."""
        self.wall_step_ns = 0
        self.kernel: bool | str | None = "honest"
        self.reports: list[tuple[float, Report]] = []
        self.dials: list[float] = []
        self.ends: dict[int, End] = {}
        self.store: SqliteStore
        self.line: Line
        self.door: Door
        self._pending: list[Commit] = []
        self._committing: list[Commit] = []
        self._wake_at = 0.0
        self._life = 0
        self._woken_at, self._wakes = 0.0, 0

    # --- life ---

    def start(self) -> Station:
        """Open the store and begin."""
        peer = identity(self.world.other(self).name)[1]
        pairing = self._pairing(peer)
        self.store = SqliteStore.open(self.path, station_id=self.card.id)
        number = self.store.add_line(peer.name, pairing.peer.id)
        record = next(r for r in self.store.read(lambda r: r.lines()) if r.line == number)
        changes = [
            self.store.read(lambda r, side=side: r.key_changes(number, side))  # type: ignore[misc]
            for side in Side
        ]
        key_changes.remember(pairing, record, *changes)
        world = World(
            EPHEMERALS, self.world.random.random, self._kernel_took_all, lambda: self.has_room
        )
        self.line = Line(pairing, record, world, self.addresses, self.heartbeat_s)
        self.door = Door()
        self.door.add(self.line)
        self.alive = True
        self._life += 1
        self._wake_at = float("inf")
        self.do(lambda line, at: line.start(at))
        self._take_up()
        return self

    def _pairing(self, peer: Card) -> Pairing:
        keys = None if self.destroyed else self.keys
        pairing = Pairing(keys, self.card, peer, self.world.line_secret)
        for place, (succession, new) in enumerate(self.successors, 1):
            kept = None if place < self.destroyed else new
            pairing.owns.add(Generation(succession.card, kept))
        for succession in self.peers_successors:
            pairing.peers.add(Generation(succession.card))
        return pairing

    def _take_up(self) -> None:
        """Queue the changes to the keys in our files that the log does not hold yet."""
        wall_ns = self.moment().wall_ns
        for succession, keys in self.successors:
            self.line.key_changes.prepare(succession.card, keys)
            if self.line.pairing.owns[self._index(succession)].number is None:
                self.ask(
                    lambda tx, n, s=succession: (key_changes.begin(tx, n, s, wall_ns),),  # type: ignore[misc]
                    lambda outcome: outcome[0],
                    fetch=True,
                )

    def _index(self, succession: Succession) -> int:
        at = self.line.pairing.owns.index(succession.card.id)
        assert at is not None
        return at

    def rotate(self) -> Succession:
        """Make new keys, as files, and let the line take them up if the station runs."""
        number = len(self.successors) + 1
        old_card, old_keys = self.card, self.keys
        if self.successors:
            old_card, old_keys = self.successors[-1][0].card, self.successors[-1][1]
        made = successor(self.name, old_card, old_keys, number)
        self.successors.append(made)
        if self.alive:
            self._take_up()
        return made[0]

    def stop(self) -> None:
        """Stop in good order: close frames leave, then the process is gone."""
        self.do(lambda line, at: line.stop(at))
        self.world.after(1.0, self._gone)

    def crash(self) -> None:
        """Be gone at once: no goodbye, and the commit under way is durable or not."""
        if self._committing and not self.full and self.world.random.random() < 0.5:
            self.store.transact([commit.work for commit in self._committing])
        self._gone()

    def _gone(self) -> None:
        if not self.alive:
            return
        self.alive = False
        self._pending, self._committing = [], []
        for end in self.ends.values():
            end.open = False
            end._send_end()
        self.ends = {}
        self.store.close()

    def moment(self) -> Moment:
        """Give now by this station's clocks."""
        now = self.world.now
        return Moment(now, WALL_NS + int(now * 1e9) + self.wall_step_ns)

    def _kernel_took_all(self, conn: int) -> bool | None:
        if self.kernel == "honest":
            end = self.ends.get(conn)
            return None if end is None else not end.unacknowledged
        return self.kernel  # type: ignore[return-value]

    # --- carrying out what the line decides ---

    def do(self, tell: Callable[[Line, Moment], list[Effect]]) -> None:
        """Tell the line something and perform what follows."""
        if self.alive:
            self.perform(tell(self.line, self.moment()))

    def perform(self, effects: list[Effect]) -> None:
        """Carry out effects in order, then look at the line's deadline."""
        for effect in effects:
            if isinstance(effect, Commit):
                self._pending.append(effect)
            elif isinstance(effect, Writable):
                if effect.conn in self.ends:
                    self.ends[effect.conn].pump()
            elif isinstance(effect, Report):
                check_told(effect)
                self.reports.append((self.world.now, effect))
            elif isinstance(effect, Dial):
                self.dials.append(self.world.now)
                self.world.dial(self, effect)
            else:
                assert isinstance(effect, Hangup)
                assert len(effect.farewell) % UNIT_BYTES == 0
                end = self.ends.pop(effect.conn, None)
                if end is not None:
                    end.hang_up(effect.farewell)
        self._commit()
        self._set_alarm()
        self.world.check()

    def _set_alarm(self) -> None:
        wake_at = self.line.deadline(self.moment())
        if wake_at == float("inf") or wake_at == self._wake_at:
            return
        self._wake_at = wake_at
        life = self._life

        def ring() -> None:
            if self.alive and life == self._life and self._wake_at == wake_at:
                self.wake()

        self.world.at(max(wake_at, self.world.now), ring)

    def wake(self) -> None:
        """Do what is due: afterwards nothing may be due any more, or the daemon would spin."""
        self._wake_at = float("inf")
        self.do(lambda line, at: line.wake(at))
        deadline = self.line.deadline(self.moment())
        assert deadline > self.world.now, f"{self.name} is due again at once"
        self._wakes = self._wakes + 1 if self._woken_at == self.world.now else 0
        self._woken_at = self.world.now
        assert self._wakes < _WAKES_AT_ONCE, f"{self.name} spins"

    def _commit(self) -> None:
        if self._committing or not self._pending:
            return
        self._committing, self._pending = self._pending, []
        life = self._life
        delay_s = self.world.random.uniform(*(self.commit_s or self.world.commit_s))

        def durable() -> None:
            if self.alive and life == self._life:
                self._durable()

        self.world.after(delay_s, durable)

    def _durable(self) -> None:
        batch, self._committing = self._committing, []
        outcomes: list[Any]
        try:
            if self.full:
                raise StoreFullError("no room")
            outcomes = list(self.store.transact([commit.work for commit in batch]))
        except StoreFullError as error:
            outcomes = [error] * len(batch)
        for commit, outcome in zip(batch, outcomes, strict=True):
            told = outcome
            if commit.after is not None and not isinstance(outcome, HotlineError):
                told = commit.after(outcome)
            if self.alive:
                self.perform(commit.done(told, self.moment()))
        self._commit()

    # --- operators ---

    def send(
        self,
        identifier: str,
        body: str = "hello",
        precedence: Precedence = Precedence.ROUTINE,
        expires_s: float | None = None,
        **draft: Any,
    ) -> Reply:
        """Ask for a message to be sent."""
        wall_ns = self.moment().wall_ns
        expires_ns = None if expires_s is None else wall_ns + int(expires_s * 1e9)
        outgoing = accepting.compose(
            accepting.Draft(
                identifier, precedence, "subject", body, "watch", expires_ns=expires_ns, **draft
            ),
            wall_ns,
        )

        self.world.asked[self.name].setdefault(identifier, body)

        def accepted(answers: Any) -> Any:
            [answer] = answers
            if isinstance(answer, accepting.Accepted) and not answer.repeated:
                self.world.said(self, identifier)
            return answer

        return self.accept([outgoing], accepted)

    def accept(
        self,
        messages: Sequence[Outgoing],
        told: Callable[[Any], Any],
        bounds: accepting.QueueLimits | None = None,
    ) -> Reply:
        """Ask for messages to be taken in, as the daemon does."""
        reply = Reply()

        def done(outcome: Any) -> None:
            reply.value = outcome if isinstance(outcome, Exception) else told(outcome)

        limits = bounds or accepting.QueueLimits()
        self.perform(self.line.sending.accept(messages, limits, done, self.moment()))
        return reply

    def answer(self, identifier: str, decision: Decision, note: str = "") -> Reply:
        """Acknowledge a received message."""
        said = Acknowledged("lt kovac", decision, note, self.moment().wall_ns)
        return self.ask(
            lambda tx, n: accepting.acknowledge(tx, n, identifier, said), lambda outcome: outcome[1]
        )

    def cancel(self, identifier: str) -> Reply:
        """Take a message back."""
        return self.ask(
            lambda tx, n: accepting.cancel(tx, n, identifier), lambda outcome: outcome[1]
        )

    def ask(
        self,
        work: Callable[[Any, int], Any],
        told: Callable[[Any], Any],
        *,
        fetch: bool = False,
    ) -> Reply:
        """Make a request durable; as the daemon does it, the line looks into its queue at once."""
        reply, number = Reply(), self.line.record.line

        def done(outcome: Any, at: Moment) -> list[Effect]:
            if isinstance(outcome, Exception):
                reply.value = outcome
                return []
            reply.value = told(outcome)
            return self.line.recorded(outcome[0], at)

        effects: list[Effect] = [Commit(lambda tx: work(tx, number), done)]
        if fetch:
            effects += self.line.queued(self.moment())
        self.perform(effects)
        return reply

    # --- looking ---

    @property
    def waiting_commits(self) -> int:
        """Commits that the disk has not answered yet."""
        return len(self._pending) + len(self._committing)

    @property
    def record(self) -> LineRecord:
        """The line's numbers as the line knows them."""
        return self.line.record

    @property
    def state(self) -> LineState:
        """The line's state."""
        return self.line.vitals.assessment.state

    @property
    def reason(self) -> str:
        """Why it is so."""
        return self.line.vitals.assessment.reason

    def page(self, side: Side) -> list[MessageView]:
        """Give all messages of one direction, oldest first."""
        found: list[MessageView] = []
        while True:
            after = found[-1].row if found else 0
            more = self.store.read(lambda r, after=after: r.page(side, after=after, most=1000))  # type: ignore[misc]
            if not more:
                return found
            found += more

    def inbox(self) -> list[str]:
        """Give the ids of what was received, in order."""
        return [view.id for view in self.page(Side.PEER)]

    def view(self, identifier: str, side: Side = Side.OWN) -> MessageView:
        """Give one message."""
        found = self.store.read(lambda r: r.show(identifier))
        return next(view for view in found if view.side is side)

    def events(self, event: str, since: float = 0.0) -> list[dict[str, Any]]:
        """Give the fields of all reports of one name."""
        return [dict(r.fields) for at, r in self.reports if r.event == event and at >= since]

    def states(self, since: float = 0.0) -> list[tuple[float, str, str]]:
        """Give when the line's state changed after ``since``, in seconds from it: state, reason."""
        return [
            (round(at - since, 6), str(r.fields["state"]), str(r.fields["reason"]))
            for at, r in self.reports
            if r.event == "line_state" and at > since
        ]


@dataclass
class _Said:
    """One accepted message, and how far it was seen to have come."""

    rank: int = 0


class LineWorld:
    """Two stations and what lies between them."""

    def __init__(self, folder: Path, seed: int = 0, *, line_secret: bytes = b"") -> None:
        self.random = Random(seed)
        self.now = 1000.0
        self.line_secret = line_secret
        self.delay_s = 0.02
        self.jitter = 0.5
        self.rate: float | None = None
        """Bytes a second each way; None for no bound."""
        self.commit_s = (0.0002, 0.004)
        self.whole = False
        """Deliver bytes as they were sent, not in random pieces."""
        self.clogged: set[str] = set()
        """Names of stations that nothing reaches."""
        self.carried_bytes = 0
        self.strangers = 0
        self.checks = True
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()
        self._all_ends: list[End] = []
        self._said: dict[str, dict[str, _Said]] = {name: {} for name in NAMES}
        self.asked: dict[str, dict[str, str]] = {name: {} for name in NAMES}
        """What was asked for: it may arrive even if a crash took the answer."""
        self.stations = [Station(self, name, folder / f"{name}.db") for name in in_order()]
        self.arbiter, self.second = self.stations
        self.second.addresses = (self.arbiter.name,)

    def other(self, station: Station) -> Station:
        """Give the station on the other side."""
        return self.second if station is self.arbiter else self.arbiter

    def start(self) -> LineWorld:
        """Start both stations."""
        for station in self.stations:
            station.start()
        return self

    def close(self) -> None:
        """Release the stores."""
        for station in self.stations:
            if station.alive:
                station._gone()

    # --- time ---

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Let action happen at a time."""
        heapq.heappush(self._events, (when, next(self._sequence), action))

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Let action happen after a while."""
        self.at(self.now + delay_s, action)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self._run(self.now + seconds, lambda: False)

    def step(self) -> None:
        """Let the next thing happen."""
        if self._events:
            when, _, action = heapq.heappop(self._events)
            self.now = max(self.now, when)
            action()

    def until(self, true: Callable[[], bool], limit_s: float = 60.0) -> float:
        """Let time pass until something is true; gives how long that took."""
        began = self.now
        assert self._run(began + limit_s, true), (
            f"not within {limit_s} s; {[(s.name, s.state, s.reason) for s in self.stations]}"
        )
        return self.now - began

    def _run(self, end: float, true: Callable[[], bool]) -> bool:
        while not true():
            if not self._events or self._events[0][0] > end:
                self.now = end
                return False
            self.step()
        return True

    def until_up(self, limit_s: float = 60.0) -> float:
        """Let time pass until both lines are up."""
        return self.until(lambda: all(s.alive and s.state == "up" for s in self.stations), limit_s)

    # --- the network ---

    def pieces(self, data: bytes) -> Iterable[bytes]:
        """Cut data as TCP may."""
        if self.whole or not data:
            return [data] if data else []
        cuts = sorted(self.random.randrange(len(data)) for _ in range(self.random.randrange(3)))
        edges = [0, *cuts, len(data)]
        return [data[a:b] for a, b in itertools.pairwise(edges) if b > a]

    def dial(self, caller: Station, effect: Dial) -> None:
        """Make a connection, or say why not."""
        called = next(s for s in self.stations if s.name == effect.address)
        life = caller._life

        def reply(trouble: str) -> None:
            if caller.alive and caller._life == life:
                caller.do(lambda line, at: line.dial_failed(effect.conn, trouble, "", at))

        def answered() -> None:
            if not caller.alive or caller._life != life:
                return
            if self.clogged:
                self.after(10.0, lambda: reply("timed-out"))
                return
            if not called.alive:
                reply("refused")
                return
            end, far = End(self, caller, effect.conn), End(self, called, None)
            end.other, far.other = far, end
            self._all_ends += [end, far]
            caller.ends[effect.conn] = end
            caller.do(lambda line, at: line.connected(effect.conn, at))
            if not caller.line.knows(effect.conn):
                caller.ends.pop(effect.conn, None)
                end.hang_up(b"")
            end.pump()

        self.after(2 * self.delay_s, answered)

    def cut(self) -> int:
        """Break every connection: what is under way arrives up to some byte; gives how many."""
        broken = [end for end in self._all_ends if end.open]
        for end in broken:
            end.open = False
            conn, station = end.conn, end.station
            if conn is not None and station.ends.pop(conn, None) is not None:
                delay_s = self.random.uniform(0.0, 0.2)
                life = station._life
                self.after(delay_s, lambda s=station, c=conn, n=life: _lost(s, c, n))  # type: ignore[misc]
        self._all_ends = []
        return len(broken) // 2

    def clog(self, *stations: Station) -> None:
        """Let nothing reach stations any more (both, if none is named)."""
        self.clogged |= {station.name for station in stations or self.stations}

    def heal(self) -> None:
        """Let everything through again."""
        self.clogged.clear()
        for end in list(self._all_ends):
            end.drain()

    @property
    def sessions(self) -> int:
        """Connections that are open at both ends and known to both lines."""
        return (
            sum(
                1
                for end in self._all_ends
                if end.conn in end.station.ends
                and end.station.ends[end.conn] is end
                and end.other.conn in end.other.station.ends
            )
            // 2
        )

    # --- the checker ---

    def said(self, station: Station, identifier: str) -> None:
        """Note what was accepted: it may never be lost, doubled or changed from now on."""
        assert identifier not in self._said[station.name]
        self._said[station.name][identifier] = _Said()

    def check(self) -> None:
        """What must hold after every step: nobody has signed for more than its disk has."""
        if not self.checks or not all(s.alive for s in self.stations):
            return
        for station in self.stations:
            receipt, peer = station.record.receipt, self.other(station).record
            if receipt is not None:
                assert receipt.number <= peer.peer.number, "a receipt ran ahead of the peer's disk"
            assert peer.peer.number <= station.record.own.number or station._committing

    def check_messages(self, *, settled: bool = False) -> None:
        """Compare what the stores show with what was accepted; settled: all of it has arrived."""
        for author in self.stations:
            reader, said = self.other(author), self._said[author.name]
            received = reader.page(Side.PEER)
            ids = [view.id for view in received]
            assert len(ids) == len(set(ids)), "a message was received twice"
            asked = self.asked[author.name]
            assert set(ids) <= asked.keys(), "a message was received that nobody asked for"
            assert all(view.body == asked[view.id] for view in received), "a body was changed"
            own = {view.id: view for view in author.page(Side.OWN)}
            assert own.keys() >= said.keys(), "an accepted message is gone"
            for identifier, one in said.items():
                state = own[identifier].state
                rank = _RANK[state]
                assert rank >= one.rank, f"{identifier} went back to {state}"
                one.rank = rank
                if state in (State.DELIVERED, State.ACKNOWLEDGED):
                    assert identifier in ids, f"{identifier} is called {state} and is not there"
                if state in (State.EXPIRED, State.CANCELLED):
                    assert identifier not in ids, f"{identifier} is called {state} and is there"
                elif settled:
                    assert rank >= _RANK[State.DELIVERED], f"{identifier} is still {state}"


def _lost(station: Station, conn: int, life: int) -> None:
    if station.alive and station._life == life:
        station.do(lambda line, at: line.ended(conn, "session-lost", at))
