"""Operators of a station that has lost its log ask for it back, and what may differ afterwards.

From the moment a store is exchanged until its line has recovered, the checker is as lenient with this
line as with any exchanged store. Then it is strict again, with exactly this changed:

- what the reader's disk had when the store was exchanged, or got later out of what was still on its
  way, is the author's log for good: the author must know all of it as sent, whatever it believed
  meanwhile (a restored queue may have called a message expired that had been sent long ago), and may
  not sign any of these numbers differently;
- what the author had sealed beyond that is lost, and its numbers may be used anew, once;
- what the author had accepted since the backup and not sent is lost, if its own store alone had it;
- a courier's file from before the loss may still come, when its numbers have been used anew: then the
  line halts for a fork, and for good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.options import LOSSES

from hotline.line import taking_back

if TYPE_CHECKING:
    from sim.ledger import Direction
    from sim.runner import Runner
    from sim.station import Station
    from sim.world import World

_LOST = {"restore", "wipe", LOSSES}


class Recovering:
    """Looks after lines that have lost their log, in worlds whose operators do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.stream("recovery")
        self.wanted = world.options.recovers and world.options.trouble in _LOST
        self._pace = max(world.options.heartbeat_s.values())
        self._begun: dict[frozenset[str], int] = {}
        self._forked: set[frozenset[str]] = set()

    def start(self) -> None:
        """Begin to look."""
        if self.wanted:
            self._next()

    def _next(self) -> None:
        self.world.after(self._pace * self.random.uniform(0.1, 4.0), self._look)

    def _look(self) -> None:
        self._next()
        for station in self.world.stations:
            if station.alive and not station.frozen and not station.stopping:
                for runner in station.runners.values():
                    halt = runner.line.record.halt
                    if halt is not None and halt.code == "own-log-lost":
                        self.ask(runner)
                    elif halt is not None and (
                        not self._reaches_us(runner) or self._found_again(runner)
                    ):
                        self._call_again(runner)

    def _reaches_us(self, runner: Runner) -> bool:
        return bool(self.world.options.addresses(runner.peer, runner.station.identity))

    def _found_again(self, runner: Runner) -> bool:
        """The peer's store is another one once more, and whole: its operator has nothing to recover."""
        there = self.world.runner(runner.peer, runner.station.identity)
        record = there.line.record if there is not None else None
        return (
            record is not None
            and record.halt is None
            and not record.recovering
            and record.own.number >= runner.line.record.peer.number
        )

    def _call_again(self, runner: Runner) -> None:
        """An operator here is asked by telephone to have this line look again, and call."""
        self.world.operators.retried[runner.station.name, runner.peer] = self.world.now
        runner.tell(lambda line, at: line.retry(at))

    def ask(self, runner: Runner) -> None:
        """Say `line recover`, as daemon/requests.py does it."""
        line = runner.line.record.line
        self._begun.setdefault(frozenset((runner.station.identity, runner.peer)), 0)

        def told(outcome: Any) -> None:
            if not isinstance(outcome, Exception):
                runner.tell(lambda line, at: line.retry(at))

        runner.request(lambda tx: (taking_back.begin(tx, line),), told, fetch=False)

    def came_by_courier(self, runner: Runner) -> None:
        """A file from before a loss came when its numbers had been used anew: a fork, for good.

        What lies in a bag no station can ask for.
        """
        one, other = runner.station.identity, runner.peer
        self._forked.add(frozenset((one, other)))
        for way in (one, other), (other, one):
            self.world.checker.directions[way].troubled = self.world.options.trouble
        self.world.mark("a courier brought what had been lost and written anew")

    def must_recover(self, one: str, other: str) -> bool:
        """Tell whether a line may not stay halted."""
        return self.wanted and frozenset((one, other)) not in self._forked

    def was_asked(self, one: str, other: str) -> bool:
        """Tell whether a line was to be recovered: its halts end without being lifted."""
        return frozenset((one, other)) in self._begun

    # --- what the checker is told ---

    def exchanged(self, station: Station, direction: Direction) -> None:
        """The author's store is another one: what its reader does not have may be lost."""
        reader = next(one for one in self.world.stations if one.identity == direction.reader)
        held = reader.durable_records.get(direction.author)
        number = held.peer.number if held is not None else 0
        lost = {n: head for n, head in direction.left.items() if n > number}
        for n, head in lost.items():
            # What was lost before may still be on its way too.
            direction.lost.setdefault(n, set()).add(head)
            del direction.left[n]
        self.world.trace(station.name, "may have lost", len(lost), "runs")

    def reported(self, runner: Runner, event: str) -> None:
        """A line tells of its recovery."""
        station, peer = runner.station, runner.peer
        if event == "recovery_begun":
            pair = frozenset((station.identity, peer))
            self._begun[pair] = self._begun.get(pair, 0) + 1
            if self._begun[pair] > 1:
                self.world.mark("a recovery was begun again")
        elif event == "line_recovered":
            self.world.mark("a lost log was taken back")
            self._recovered(runner)

    def _recovered(self, runner: Runner) -> None:
        checker = self.world.checker
        outgoing = checker.directions[runner.station.identity, runner.peer]
        incoming = checker.directions[runner.peer, runner.station.identity]
        outgoing.took_back()
        incoming.troubled = ""
        checker.inspect_line(runner.station, runner.peer)

    def ended(self, station: Station) -> None:
        """A process is gone: note if it was taking back a log."""
        if any(runner.line.record.recovering for runner in station.runners.values()):
            self.world.mark("a station died while it recovered")
