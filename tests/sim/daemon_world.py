"""The second tier: whole daemons, on trio, in the simulated world of the first.

Real is everything that `hotline run` does after it has read its files: hotline.daemon.run.work with
Station, Runner, Writer, Connection, Listener, Control and Requests, on trio's own scheduler, whose
order a seed decides, under a clock that moves only when nobody can go on without it. World, network,
disks, chaos, checker and ledger are the first tier's; operators ask over the control socket.

Simulated are the kernel's sockets, signals, and the store's thread: a turn of the writer happens at
once, some time after it was asked for, and its outcomes come back later. Not modelled beyond the first
tier: a process that stands still, logs (their own tests have them), clones, TCP_INFO (the answer is
always "unknown").
"""

from __future__ import annotations

import errno
import heapq
import math
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import trio
from sim import daemon_station, determinism
from sim.chaos import Chaos
from sim.daemon_machine import first_violation
from sim.daemon_operators import DaemonOperators
from sim.daemon_station import DaemonStation, WatchedRunner
from sim.options import FAULTS, Options
from sim.world import World

from hotline.errors import HotlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

DAEMON_FAULTS = (*(one for one in FAULTS if one not in {"stall", "replay"}), "descriptors")
"""What may go wrong here; the last: the process has no descriptor left for a caller."""


def daemon_options(seed: int, **fixed: Any) -> Options:
    """Give the options of a seed's world of daemons."""
    drawn = Options.of(seed, brief=True)
    faults = (*(one for one in drawn.faults if one in DAEMON_FAULTS), "descriptors")
    unlike_here = {"trouble": "", "couriers": False, "rotates": False, "real": False}
    given = unlike_here | {"faults": faults} | fixed
    return Options.of(seed, brief=True, **given)


class DaemonChaos(Chaos):
    """Fires the faults of the second tier too."""

    def _descriptors(self) -> None:
        station: Any = self._station()
        if station.listening:
            for _ in range(self.random.randrange(1, 20)):
                station.process.callers.put(OSError(errno.EMFILE, "no descriptor is left"))
            self.world.mark("a caller could not be accepted")


class CancelAtEachStep(trio.abc.Instrument):
    """Cancels the first life of a station before its first step, the second before its second ...

    So every place where any task of the daemon waits, from its start through handshake, session and
    traffic, is once the place where it is cancelled.
    """

    def __init__(self, name: str, lives: int) -> None:
        self._name = name
        self._lives = lives
        self._cancelled = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        life = task.context.get(daemon_station.here)
        if life is None or life.over or life.station.name != self._name:
            return
        life.steps += 1
        due = life.steps == self._cancelled + 1 <= self._lives
        if due and not life.work.cancel_called:
            self._cancelled += 1
            life.work.cancel()


class DaemonWorld(World):
    """One seed's world of daemons; ``run`` lives through it."""

    station_class = DaemonStation
    operators_class = DaemonOperators
    chaos_class = DaemonChaos
    nursery: trio.Nursery

    def __init__(
        self, options: Options, folder: Path, instruments: Sequence[trio.abc.Instrument] = ()
    ) -> None:
        self._instruments = instruments
        self._ended_at = 0.0
        self._sooner: trio.Event | None = None
        self._due = math.inf
        super().__init__(options, folder)

    @property
    def now(self) -> float:
        """Give the time: trio's, while it runs."""
        with suppress(RuntimeError):
            self._ended_at = trio.current_time()
        return self._ended_at

    @now.setter
    def now(self, _value: float) -> None: ...

    def at(self, when: float, action: Callable[[], None]) -> None:
        super().at(when, action)
        if self._sooner is not None and when < self._due:
            self._sooner.set()

    def run(self) -> None:
        with self._rules():
            try:
                determinism.run(self._live, self.options.seed, self._instruments)
            except BaseException as error:
                raise first_violation(error) from error

    async def _live(self) -> None:
        async with trio.open_nursery() as self.nursery:
            self.nursery.start_soon(self._let_happen)
            try:
                for until in self.plot():
                    await trio.sleep_until(until)
            finally:
                # After a violation too: a daemon that is only cancelled waits for its store's hand.
                for station in self.stations:
                    station._gone()
            self.nursery.cancel_scope.cancel()

    async def _let_happen(self) -> None:
        while True:
            while self._heap and self._heap[0][0] <= trio.current_time():
                heapq.heappop(self._heap)[2]()
            self._sooner = trio.Event()
            self._due = self._heap[0][0] if self._heap else math.inf
            with trio.move_on_at(self._due):
                await self._sooner.wait()

    @contextmanager
    def _rules(self) -> Iterator[None]:
        with super()._rules(), ExitStack() as stack:
            for name, value in {
                "hotline.daemon.clock.time": daemon_station.CLOCK,
                "hotline.daemon.pairings.read_card": daemon_station.card_at,
                "hotline.daemon.station.Runner": WatchedRunner,
            }.items():
                stack.enter_context(patch(name, value))
            yield

    def _close(self) -> None:
        for station in self.stations:
            station.alive = False  # its tasks have ended with trio's loop
            with suppress(HotlineError):
                station.store.close()
        super()._close()
