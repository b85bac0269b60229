"""Couriers in the simulated world: files made, kept, and brought late, again, out of order, or never.

No operator here says --unheard: a station whose store was restored numbers nothing new for a courier
before a session has shown what it lost.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sim.ledger import Violation

from hotline.errors import HaltError, RefusedError
from hotline.limits import COURIER_BYTES
from hotline.line.checkpoints import frame_of
from hotline.line.effects import Commit, Effect

if TYPE_CHECKING:
    from sim.pairing import WatchedPairing
    from sim.runner import Runner
    from sim.world import World

    from hotline.line.courier_files import Packed
    from hotline.line.moment import Moment
    from hotline.store.interface import Transaction

_RECENT = 6
_RARER = 1.5
"""How much rarer couriers are than what other operators do."""


class Couriers:
    """All couriers of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.stream("couriers")
        self._files: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        """By who wrote and who reads."""

    def start(self) -> None:
        """Begin, in the worlds that have couriers."""
        if self.world.options.couriers:
            self._next()

    def _next(self) -> None:
        gap_s = self.random.expovariate(1.0 / (_RARER * self.world.options.operation_gap_s))
        self.world.when_busy(gap_s, self._act)

    def _act(self) -> None:
        if not self.world.operators.busy:
            return
        self._next()
        runners = [
            runner
            for station in self.world.stations
            if station.alive and not station.frozen and not station.stopping
            for runner in station.runners.values()
        ]
        if runners:
            act = self.random.choice([self._export, self._import])
            act(self.random.choice(runners))

    def _export(self, runner: Runner) -> None:
        courier, wall_ns = runner.line.courier, runner.station.moment().wall_ns
        most_bytes = self.random.choice([2_000, COURIER_BYTES])
        may_number, had = courier.may_number, runner.line.record.own.number
        try:
            courier.ready()
        except RefusedError:
            return

        def done(outcome: Any, at: Moment) -> list[Effect]:
            if isinstance(outcome, RefusedError) and outcome.code == "no-courier-key":
                self._carry_key(runner)
            if isinstance(outcome, Exception):
                return []
            if outcome.record.own.number > had and not courier.may_number:
                raise Violation(
                    f"{runner.station.name} numbers entries for a courier, and {runner.peer} has not"
                    " said how far its log goes"
                )
            effects = courier.packed(outcome, "", at)
            self._leave(runner, outcome)
            way = runner.station.identity, runner.peer
            self._files[way] = [*self._files[way][1 - _RECENT :], courier.seal(outcome, wall_ns)]
            return effects + runner.line.recorded(outcome.record, at)

        def work(tx: Transaction) -> Packed:
            return courier.pack(tx, None, most_bytes, wall_ns, may_number=may_number)

        runner.perform([Commit(work, done)])

    def _carry_key(self, runner: Runner) -> None:
        """Where no session has stood for long enough an operator brings the peer's key by hand."""
        other = self.world.runner(runner.peer, runner.station.identity)
        if other is None:
            return
        courier = runner.line.courier

        def kept(outcome: Any, at: Moment) -> list[Effect]:
            return [] if isinstance(outcome, Exception) else courier.key_kept(outcome, at)

        key = other.line.pairing.speaking().courier_key.encoded
        runner.perform([Commit(courier.keeping(key), kept)])

    def _answer_soon(self, runner: Runner) -> None:
        """Whoever was reached by a courier sends one back."""
        station = runner.station

        def answer() -> None:
            if station.alive and station.runners.get(runner.peer) is runner:
                station.when(lambda: self._export(runner))

        self.world.after(self.random.uniform(0.0, self.world.options.operation_gap_s), answer)

    def _troubled(self, runner: Runner) -> bool:
        ways = (runner.station.identity, runner.peer), (runner.peer, runner.station.identity)
        return any(self.world.checker.directions[way].troubled for way in ways)

    def _leave(self, runner: Runner, packed: Packed) -> None:
        """What goes into a file leaves the station as surely as what goes by wire."""
        pairing: WatchedPairing = runner.line.pairing  # type: ignore[assignment]
        for run in packed.runs:
            self.world.checker.leaves(pairing, run)
        if packed.checkpoint is not None:
            self.world.checker.leaves(pairing, frame_of(packed.checkpoint))

    def _refused(self, runner: Runner, error: RefusedError) -> None:
        if error.code == "bad-courier" and self.world.rotation.has_changed(runner.peer):
            self.world.mark("a courier file was older than its writer's keys")
        elif error.code not in ("disk-full", "halted"):
            raise Violation(f"{runner.station.name} refuses a sound file: {error}") from None

    def _import(self, runner: Runner) -> None:
        files = self._files[runner.peer, runner.station.identity]
        if not files:
            return
        courier, wall_ns = runner.line.courier, runner.station.moment().wall_ns
        try:
            courier.ready()
            courier.roomy()
            content = courier.open(self.random.choice([*files, *[files[-1]] * _RECENT]))
        except RefusedError as error:
            self._refused(runner, error)
            return

        def done(outcome: Any, at: Moment) -> list[Effect]:
            if isinstance(outcome, HaltError):
                lost = self.world.checker.directions[runner.peer, runner.station.identity].lost
                if outcome.code == "fork" and lost:
                    self.world.recovering.came_by_courier(runner)
                if not self._troubled(runner):
                    raise Violation(f"{runner.station.name} halts at a sound file: {outcome}")
                self.world.mark("a courier showed that the logs disagree")
                return courier.disagreed(outcome, at)
            if isinstance(outcome, Exception):
                return []
            what = "was quicker than the wire" if outcome.entries else "brought nothing new"
            self.world.mark(f"a courier {what}")
            if outcome.delivered:
                self.world.mark("a courier brought a receipt")
            if outcome.entries:
                self._answer_soon(runner)
            effects = courier.taken(outcome, content, "", at)
            return effects + runner.line.recorded(outcome.record, at)

        runner.perform([Commit(lambda tx: courier.take_in(tx, content, wall_ns), done)])
