"""A machine for one life of a daemon in a simulated world: sockets, signals, the store's hand."""

from __future__ import annotations

import math
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import trio
from sim import network
from sim.daemon_streams import PatientListener, SimStream
from sim.ledger import Violation

from hotline.daemon.dialling import DialFailedError
from hotline.daemon.machine import Machine
from hotline.errors import StoreError, StoreFullError
from hotline.limits import DIAL_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from sim.daemon_station import DaemonStation

    from hotline.store.sqlite import SqliteStore

_TURN_S = 0.00005


class SimWorker:
    """The store's thread: a turn happens at once, some time after it was asked for."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.lost = False
        self.waiting = 0
        """Commits asked for and not yet told."""
        self.untold = 0
        """Commits that are durable, and nobody knows."""
        self.over = trio.Event()
        self._queue: deque[Any] = deque()
        self._came = trio.Event()
        self._calls: deque[tuple[float, Callable[..., None], tuple[Any, ...]]] = deque()
        self._called = trio.Event()

    def start(self, turn: Any) -> None:
        self.life.nursery.start_soon(self._work, turn)
        self.life.nursery.start_soon(self._tell)

    def put(self, item: Any) -> None:
        if self.life.over:
            self.over.set()
            return
        self.waiting += 0 if callable(item) else len(item)
        self._queue.append(item)
        self._came.set()

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        hop_s = self.life.station.world.random.uniform(0.00002, 0.002)
        self._calls.append((trio.current_time() + hop_s, function, arguments))
        self._called.set()

    async def end(self) -> None:
        await self.over.wait()

    def _more(self) -> Any:
        return self._queue.popleft() if self._queue else None

    async def _work(self, turn: Any) -> None:
        world = self.life.station.world
        going = True
        while going and not self.life.over:
            while not self._queue:
                self._came = trio.Event()
                await self._came.wait()
            low, high = world.options.commit_takes(self.life.station.identity)
            await trio.sleep(_TURN_S + world.random.uniform(low, high))
            if not self.life.over:
                going = turn(self._queue.popleft(), self._more)
        self.over.set()

    async def _tell(self) -> None:
        while True:
            while not self._calls:
                self._called = trio.Event()
                await self._called.wait()
            due, function, arguments = self._calls.popleft()
            await trio.sleep_until(due)
            if self.life.over:
                return
            if function.__name__ == "_deliver":
                self.untold = 0
                self.waiting -= len(arguments[0])
            function(*arguments)


class WatchedStore:
    """The product's store, with a witness of what became durable."""

    def __init__(self, life: Life, store: SqliteStore) -> None:
        self._life = life
        self._store = store
        self._database = store._database
        self.close = store.close
        self.read = store.read
        self.is_crowded = store.is_crowded

    def add_line(self, name: str, peer_id: bytes, own_id: bytes | None = None) -> int:
        number = self._store.add_line(name, peer_id, own_id)
        self._life.station.durable()
        return number

    def free_bytes(self) -> int:
        room = self._life.station.disk.room_bytes
        return 2**40 if room is None else 0

    def transact(self, works: Sequence[Any]) -> list[Any]:
        station = self._life.station
        with self._judged():
            outcomes = self._store.transact(works)
            station.durable()
            self._life.worker.untold += len(works)
        if station.dies_untold:
            station.died_untold()
        return outcomes

    def move_wal(self) -> None:
        with self._judged():
            self._store.move_wal()

    @contextmanager
    def _judged(self) -> Iterator[None]:
        station = self._life.station
        try:
            yield
        except StoreFullError:
            station.was_full = True
            station.full_at = station.world.now
            station.disk.rolled_back()
            station.world.mark("a commit found the disk full")
            raise
        except StoreError:
            if station.disk.dead and not self._life.over:
                station.died_at_the_disk()
            elif not self._life.over and not self._life.worker.lost:
                self._life.worker.lost = True
                station.must_exit()
            raise


class Life:
    """One process: what it holds of the machine, and its end."""

    def __init__(self, station: DaemonStation, store: SqliteStore) -> None:
        self.station = station
        self.over = False
        self.started = False
        self.scope = trio.CancelScope()
        self.work = trio.CancelScope()
        self.steps = 0
        self.nursery: trio.Nursery
        self.worker = SimWorker(self)
        self.store = WatchedStore(self, store)
        self.callers: PatientListener | None = None
        self.operators: PatientListener | None = None
        self._signal, self._signals = trio.open_memory_channel[int](math.inf)

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self._signal.send_nowait(number)

    def end(self) -> None:
        """The world has nothing to do with this process any more: whatever runs of it, ends."""
        self.over = True
        self.worker.over.set()
        self.scope.cancel()

    def machine(self) -> Machine:
        """Give what the daemon is run on."""
        world = self.station.world
        return Machine(
            dial=self._dial,  # type: ignore[arg-type]
            listen=self._listen,  # type: ignore[arg-type]
            listen_control=self._listen_control,  # type: ignore[arg-type]
            signals=self._receive_signals,
            worker=lambda: self.worker,
            in_thread=self._in_thread,
            ephemerals=world.ephemerals,
            uniform=world.random.random,
        )

    async def _dial(self, address: str) -> SimStream:
        world, source = self.station.world, self.station.name
        await trio.lowlevel.checkpoint()
        target = world.resolve(address.partition(":")[0])
        if target is None:
            await trio.sleep(world.random.uniform(0.001, 3.0))
            raise DialFailedError("unreachable", "there is no such host")
        answers: list[str] = []
        answered = trio.Event()

        def answer(trouble: str) -> None:
            answers.append(trouble)
            answered.set()

        network.dial(world, source, target, answer)
        with trio.move_on_after(DIAL_TIMEOUT_S):
            await answered.wait()
        if answers != [""]:
            raise DialFailedError(answers[0] if answers else "timed-out", "")
        near, far = world.join(source, target)
        stream = SimStream(near, world.options.send_buffer)
        world.call(target, far)
        return stream

    async def _listen(self, _address: Any) -> list[PatientListener]:
        await trio.lowlevel.checkpoint()
        self.callers = PatientListener()
        return [self.callers]

    def _listen_control(self, _path: Path) -> PatientListener:
        self.operators = PatientListener()
        return self.operators

    @contextmanager
    def _receive_signals(self, *_numbers: int) -> Iterator[AsyncIterator[int]]:
        yield self._signals

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        await trio.sleep(self.station.world.random.uniform(0.0001, 0.002))
        if self.over:
            await trio.sleep_forever()
        return work()


def first_violation(error: BaseException) -> BaseException:
    """Give what went wrong first, out of what trio tells in groups."""
    if isinstance(error, BaseExceptionGroup):
        found = [first_violation(one) for one in error.exceptions]
        return next((one for one in found if isinstance(one, Violation)), found[0])
    return error
