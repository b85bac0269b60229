"""What operators do: they send, repeat what was not answered, acknowledge, take back, test, look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sim.ledger import Direction, Said, Violation, body_of

from hotline.errors import HotlineError, RefusedError
from hotline.limits import ENTRY_BYTES, MESSAGE_BYTES
from hotline.line import accepting
from hotline.model import Acknowledged, Decision, Precedence, State

if TYPE_CHECKING:
    from sim.runner import Runner
    from sim.station import Station
    from sim.world import World

_BOUNDS = accepting.QueueLimits(messages=300, size_bytes=8 * 1024 * 1024)
_HEADERS_BYTES = 45
"""About what an entry's encoding adds to a body: sizes around the edge are drawn from here."""


class Operators:
    """All operators of all stations."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.stream("operators")
        self.busy = True
        self.sent = 0
        self.acknowledged: dict[tuple[str, str], set[str]] = {}
        self.retried: dict[tuple[str, str], float] = {}
        self._asked: dict[int, tuple[Station, str, Said]] = {}
        self._unanswered: list[tuple[Station, str, Said]] = []
        self._requests = 0

    def start(self) -> None:
        """Begin to work."""
        self._next()

    def _next(self) -> None:
        gap = self.random.expovariate(1.0 / self.world.options.operation_gap_s)
        self.world.when_busy(gap, self._act)

    def _act(self) -> None:
        if not self.busy:
            return
        self._next()
        runners = [
            runner
            for station in self.world.stations
            if station.alive and not station.frozen and not station.stopping
            for runner in station.runners.values()
        ]
        if not runners:
            return
        runner = self.random.choice(runners)
        act = self.random.choices(
            [self._send, self._burst, self._repeat, self._acknowledge, self._cancel, self._test,
             self._attend, self._retry],
            [40, 4, 15, 20, 8, 3, 2, 2],
        )[0]  # fmt: skip
        act(runner)

    # --- sending ---

    def _direction(self, runner: Runner) -> Direction:
        return self.world.checker.directions[runner.station.identity, runner.peer]

    def _burst(self, runner: Runner) -> None:
        for _ in range(self.random.randrange(2, 12)):
            self._send(runner)

    def _send(self, runner: Runner) -> None:
        self.sent += 1
        station = runner.station
        identifier = f"{'clone-' if station.is_clone else ''}{station.identity}-{self.sent}"
        said = Said(
            identifier,
            self._size(),
            self.random.choices(list(Precedence), [2, 1, 1, 6])[0],
            expires=self.random.random() < 0.15,
        )
        self._ask_to_send(runner, said)

    def say(self, runner: Runner, size: int, urgent: bool) -> None:
        """Send a message of a size."""
        self.sent += 1
        precedence = Precedence.FLASH if urgent else Precedence.ROUTINE
        identifier = f"{runner.station.identity}-{self.sent}"
        self._ask_to_send(runner, Said(identifier, size, precedence, expires=False))

    def say_again(self, runner: Runner, said: Said) -> None:
        """Send a message again, under the same id, if nobody waits for an answer to it."""
        if all(asked is not said for _, _, asked in self._asked.values()):
            self._unanswered = [one for one in self._unanswered if one[2] is not said]
            self._ask_to_send(runner, said)

    def _size(self) -> int:
        kind = self.random.random()
        if kind < 0.75:
            return self.random.randrange(300)
        if kind < 0.90:
            return ENTRY_BYTES - _HEADERS_BYTES - self.random.randrange(60)
        slow = self.world.options.rate is not None and self.world.options.rate < 50_000
        if kind < 0.985 or slow:
            return self.random.randrange(ENTRY_BYTES, 30_000 if slow else 120_000)
        return self.random.randrange(200_000, MESSAGE_BYTES + 1)

    def _repeat(self, runner: Runner) -> None:
        """Send again, under the same id, what was asked and not answered."""
        if runner.station.is_clone:
            return
        for place, (station, peer, said) in enumerate(self._unanswered):
            if (station, peer) == (runner.station, runner.peer):
                del self._unanswered[place]
                self.world.mark("a send was repeated after its answer was lost")
                self._ask_to_send(runner, said)
                return
        answered = [one for one in self._direction(runner).said.values() if one.answered]
        if answered:
            self._ask_to_send(runner, self.random.choice(answered))

    def _test(self, runner: Runner) -> None:
        self.sent += 1
        self._ask_to_send(
            runner,
            Said(f"test-{self.sent}", 0, Precedence.IMMEDIATE, expires=False, is_test=True),
        )

    def _ask_to_send(self, runner: Runner, said: Said) -> None:
        station = runner.station
        wall_ns = station.moment().wall_ns
        expires_ns = None
        if said.expires:
            expires_ns = wall_ns + int(self.random.expovariate(1 / 60) * 1e9) + 1
        outgoing = accepting.compose(
            accepting.Draft(
                said.id,
                said.precedence,
                "",
                body_of(said.id, said.size),
                "",
                expires_ns,
                is_test=said.is_test,
            ),
            wall_ns,
        )
        if not station.is_clone and said.id not in self._direction(runner).said:
            self._direction(runner).said[said.id] = said
            said.asked_at = self.world.now
        self._requests += 1
        request = self._requests
        self._asked[request] = (station, runner.peer, said)

        def told(outcome: Any) -> None:
            self._asked.pop(request, None)
            self._told(runner, said, outcome)

        runner.accept([outgoing], _BOUNDS, told)

    def _told(self, runner: Runner, said: Said, outcome: Any) -> None:
        station = runner.station
        if isinstance(outcome, HotlineError):
            self._unanswered.append((station, runner.peer, said))
            return
        [answer] = outcome
        if isinstance(answer, RefusedError):
            if said.answered or answer.code == "id-in-use":
                raise Violation(f"{station.name} refuses to know {said.id}: {answer}")
            return
        if said.answered and not answer.repeated:
            raise Violation(f"{station.name} accepted {said.id} a second time")
        if answer.repeated:
            self.world.mark("a repeated send was recognised")
        self._is_durable(station, said)
        said.answered = not station.is_clone
        said.accepted_at = min(said.accepted_at, self.world.now)

    def _is_durable(self, station: Station, said: Said) -> None:
        """Accepted means durable: asked of the disk, not of the station."""
        if station.disk.unsynced:
            raise Violation(f"{station.name} accepted {said.id}, and its disk may lose it")
        found = station.store._database.execute(
            "SELECT 1 FROM message WHERE side = 0 AND id = ?", (said.id,)
        ).get
        if found is None:
            raise Violation(f"{station.name} accepted {said.id}, and its store has it not")

    def lost_answers(self, station: Station) -> None:
        """The daemon went away: whoever waited does not know what became of the request."""
        for request in [r for r, (asked, _, _) in self._asked.items() if asked is station]:
            self._unanswered.append(self._asked.pop(request))

    # --- the rest ---

    def _acknowledge(self, runner: Runner) -> None:
        station, line = runner.station, runner.line.record.line
        incoming = self.world.checker.directions[runner.peer, station.identity]
        if not incoming.shown or station.is_clone:
            return
        identifier = self.random.choice(list(incoming.shown))
        decision = self.random.choice(list(Decision))
        answer = Acknowledged("lt kovac", decision, "", station.moment().wall_ns)
        self.acknowledged.setdefault((runner.peer, station.identity), set()).add(identifier)
        runner.request(
            lambda tx: accepting.acknowledge(tx, line, identifier, answer),
            lambda _outcome: None,
            fetch=True,
        )

    def answered(self, direction: Direction, identifier: str) -> bool:
        """Tell whether an operator over there was asked to acknowledge a message."""
        return identifier in self.acknowledged.get((direction.author, direction.reader), ())

    def _cancel(self, runner: Runner) -> None:
        line, direction = runner.line.record.line, self._direction(runner)
        waiting = [
            one
            for one in direction.said.values()
            if one.state is State.QUEUED and one.answered and not one.is_test
        ]
        if not waiting or runner.station.is_clone:
            return
        said = self.random.choice(waiting[-5:])

        def told(outcome: Any) -> None:
            if isinstance(outcome, RefusedError):
                self.world.mark("a cancel came after the seal")
            elif not isinstance(outcome, HotlineError):
                said.cancelled = True
                self.world.mark("a message was taken back")

        runner.request(lambda tx: accepting.cancel(tx, line, said.id), told, fetch=False)

    def _attend(self, runner: Runner) -> None:
        attended = not runner.line.attended
        for one in runner.station.runners.values():
            one.tell(lambda line, at: line.set_attended(attended, at))

    def _retry(self, runner: Runner) -> None:
        self.retried[runner.station.name, runner.peer] = self.world.now
        runner.tell(lambda line, at: line.retry(at))
