"""One station loses its store again and again, to an old copy or to nothing, and says long messages.

A store that is exchanged once is chaos.py's matter. What goes wrong only the second time has its
worlds here: a log then holds the beginning of a long message more than once, a copy may be older or
newer than the last one, and the next loss may come while the last is still being mended. Long messages
are said all the time, and a loss comes when one is half sent, while a log comes back, once what was
half sent has arrived in full, or at any time.

Operators know that the store is another one and not what it has forgotten: they say again, under the
same id, whatever nobody has confirmed since. So in the end every message must be shown over there,
once, or have ended as its author says.

A copy whose end another history has replaced meanwhile is thrown away: with it the line would halt for
a fork, and rightly.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from sim.ledger import Violation
from sim.options import LOSSES

from hotline.limits import ENTRY_BYTES
from hotline.model import State

if TYPE_CHECKING:
    from sim.ledger import Direction, Said
    from sim.runner import Runner
    from sim.station import Station
    from sim.world import World

_COPIES: Final = 6
_AT_ONCE: Final = 5
"""Messages that an operator says again in one go."""
_WAITING_BYTES: Final = 300_000
"""With so much in the queue nobody says one more long message."""
_ENDED: Final = (State.EXPIRED, State.CANCELLED)


class _Copy(NamedTuple):
    files: dict[str, bytes]
    ends: dict[str, int]
    """How long its own logs are, by peer."""


class Losing:
    """Takes the store from one station of a world, in the worlds that are made for it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.stream("losing")
        self.wanted = world.options.trouble == LOSSES and world.options.recovers
        self.losses = 0
        self._victim: Station
        self._pace = max(world.options.heartbeat_s.values())
        self._most = self.random.randrange(2, 6)
        self._copies: list[_Copy] = []
        self._half_sent: set[tuple[str, str]] = set()
        """(peer, id) of what was under way at the last loss."""
        self._unwanted: set[str] = set()
        """Taken back before a loss: nobody says it again."""
        self._awaited = ""
        self._plans = count()
        self._plan = -1

    def start(self) -> None:
        """Begin, in worlds of this kind."""
        if not self.wanted:
            return
        self._victim = self.random.choice(self.world.stations)
        self.world.when_busy(self._pace * self.random.random(), self._talk)
        self.world.when_busy(self._pace * self.random.random(), self._copy_now_and_then)
        self.world.after(self._pace, self._say_again)
        self._plan_next(["half sent"])

    # --- what is said ---

    def _runners(self) -> list[Runner]:
        victim = self._victim
        works = victim.alive and not victim.frozen and not victim.stopping
        return list(victim.runners.values()) if works else []

    def _talk(self) -> None:
        """An operator says something long, unless much waits already."""
        if not self.world.operators.busy:
            return
        self.world.when_busy(self._pace * self.random.uniform(0.3, 3.0), self._talk)
        rate = self.world.options.rate
        most = 200_000 if rate is None else int(min(max(rate * self._pace, 30_000), 200_000))
        for runner in self._runners():
            if runner.line.record.queued_bytes < _WAITING_BYTES:
                size = self.random.randrange(2 * ENTRY_BYTES, most)
                self.world.operators.say(runner, size, self.random.random() < 0.1)

    def _lost(self, direction: Direction) -> list[Said]:
        """Give what was said and nobody has confirmed since the last loss."""
        return [
            one
            for one in direction.said.values()
            if not (one.answered or one.is_test or one.id in direction.shown)
            and one.id not in self._unwanted
        ]

    def _say_again(self) -> None:
        """Operators say again what may be lost, until they are answered."""
        self.world.after(self._pace * self.random.uniform(0.3, 2.0), self._say_again)
        for runner in self._runners():
            for one in self._lost(self._direction(runner.peer))[:_AT_ONCE]:
                if self.losses:
                    self.world.mark("a message was said again after a loss")
                self.world.operators.say_again(runner, one)

    def unsaid(self) -> str:
        """Say what operators have still to say again, or nothing."""
        missing = [one.id for direction in self._directions() for one in self._lost(direction)]
        return f"nobody knows of {', '.join(missing[:5])}" if missing else ""

    def unsaid_bytes(self) -> int:
        """Give how much of that there is."""
        return sum(one.size for direction in self._directions() for one in self._lost(direction))

    # --- copies ---

    def _copy_now_and_then(self) -> None:
        self.world.when_busy(self._pace * self.random.uniform(0.5, 6.0), self._copy_now_and_then)
        self._copy()

    def _copy(self) -> None:
        station, records = self._victim, self.world.checker.committed_records(self._victim)
        sound = station.alive and not station.writer.lost and not station.disk.unsynced
        if sound and len(records) == len(station.runners):
            ends = {record.name: record.own.number for record in records}
            self._copies = [*self._copies[1 - _COPIES :], _Copy(station.disk.backup(), ends)]

    def _held(self, peer: str) -> int:
        reader = next(one for one in self.world.stations if one.identity == peer)
        held = reader.durable_records.get(self._victim.identity)
        return held.peer.number if held is not None else 0

    def _chosen(self) -> dict[str, bytes]:
        """Choose what is found in place of the store; newer copies that it contradicts are no more."""
        copy = None
        if self._copies and self.random.random() < 0.6:
            copy = self.random.choice(self._copies)
        kept = {
            peer: max(self._held(peer), copy.ends[peer] if copy is not None else 0)
            for peer in self.world.peers_of(self._victim)
        }
        self._copies = [
            one for one in self._copies if all(end <= kept[peer] for peer, end in one.ends.items())
        ]
        self.world.trace(self._victim.name, "finds", copy.ends if copy is not None else "nothing")
        return copy.files if copy is not None else {}

    # --- losses ---

    def _plan_next(self, moments: list[str]) -> None:
        if self.losses >= self._most:
            return
        self._awaited = self.random.choice(moments)
        plan = self._plan = next(self._plans)
        self.world.when_busy(self._pace * self.random.uniform(1.0, 12.0), lambda: self._lose(plan))

    def committed(self, station: Station) -> None:
        """A transaction is over somewhere: it may be what the next loss waits for."""
        if not self._awaited or not self.world.operators.busy or self.world.lull.under_way:
            return
        if self._awaited == "begun":
            due = station is self._victim and bool(self._under_way())
        elif self._awaited == "half sent":
            due = bool(self._half_held())
        elif self._awaited == "recovering":
            records = self.world.checker.committed_records(self._victim)
            due = station is self._victim and any(record.recovering for record in records)
        else:
            due = self._awaited == "sent" and self._has_come()
        if not due:
            return
        self._awaited, plan = "", self._plan
        options = self.world.options
        step_s = options.delay_s + options.slowest_commit_s
        if self.random.random() < 0.5:
            self.world.after(self.random.random() * step_s, self._copy)
        self.world.after(
            step_s * self.random.choice([0.0, 0.0, 0.5, 1.0, 4.0]), lambda: self._lose(plan)
        )

    def _direction(self, peer: str) -> Direction:
        return self.world.checker.directions[self._victim.identity, peer]

    def _directions(self) -> list[Direction]:
        if not self.wanted:
            return []
        must_recover = self.world.recovering.must_recover
        return [
            self._direction(peer)
            for peer in self.world.peers_of(self._victim)
            if must_recover(self._victim.identity, peer)
        ]

    def _has_come(self) -> bool:
        return any(name in self._direction(peer).shown for peer, name in self._half_sent)

    def _under_way(self) -> dict[tuple[str, str], int]:
        """Give the peer and id of what is sealed in part, with the number of its first part."""
        if not self._victim.alive:
            return {}
        rows = self._victim.store._database.execute(
            "SELECT line.name, message.id, min(part.number)"
            " FROM message JOIN line USING (line) JOIN part USING (row)"
            " WHERE side = 0 AND queueing = 1 GROUP BY message.row"
        )
        return {(peer, name): number for peer, name, number in rows}

    def _half_held(self) -> set[tuple[str, str]]:
        """Give those of which the peer holds parts: the log that comes back will have them."""
        under_way = self._under_way().items()
        return {way for way, number in under_way if self._held(way[0]) >= number}

    def _lose(self, plan: int) -> None:
        """The store is gone, and something else is found in its place."""
        world, victim = self.world, self._victim
        if plan != self._plan or not world.operators.busy:
            return
        self._awaited = ""
        self._note()
        self._half_sent |= self._half_held()
        for direction in self._directions():
            for one in direction.said.values():
                if one.cancelled:
                    self._unwanted.add(one.id)
                if one.id not in direction.shown:
                    one.accepted_at = float("inf")  # it may have lost its place in the queue
        self.losses += 1
        world.chaos.exchange(victim, self._chosen())
        self._plan_next(["begun", "half sent", "recovering", "sent", "sent", "any"])

    def _note(self) -> None:
        """Make the marks of a loss."""
        mark = self.world.mark
        mark("a store was lost again" if self.losses else "a store was lost")
        if self._half_held():
            mark("a store was lost with a long message half sent")
        if self._has_come():
            mark("a store was lost again after what was half sent had come")
        records = self.world.checker.committed_records(self._victim)
        if any(record.recovering for record in records):
            mark("a store was lost again while it recovered")

    # --- the end ---

    def inspect(self) -> None:
        """Every message of these lines has come, once, or ended as its author says."""
        for direction in self._directions():
            back = self.world.checker.directions[direction.reader, direction.author]
            self._all_came(direction)
            self._all_came(back)

    def _all_came(self, direction: Direction) -> None:
        for one in direction.said.values():
            if one.id in direction.shown or one.is_test or one.state in _ENDED:
                continue
            if one.answered:
                raise Violation(f"{one.id} was accepted, and {direction.reader} does not show it")
