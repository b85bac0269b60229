"""The store's thread: what is told to be durable is, and a store that failed is never asked again."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import trio

from hotline.daemon.worker import StoreThread
from hotline.daemon.writer import Writer
from hotline.errors import HotlineError, RefusedError, StoreError, StoreFullError
from hotline.line.effects import Commit, Effect
from hotline.line.moment import Moment
from hotline.store.interface import Store

LONG_S = 30.0


class Disk:
    """A store that notes its transactions, fails when told to, and can be held up."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.moves = 0
        self.fail: Exception | None = None
        self.fail_move: Exception | None = None
        self.going = threading.Event()
        self.going.set()
        self.began = threading.Event()
        self.threads: set[threading.Thread] = set()

    def transact(self, works: Sequence[Callable[[Any], Any]]) -> list[Any]:
        """Run works, or fail as a whole."""
        self.threads.add(threading.current_thread())
        self.began.set()
        assert self.going.wait(LONG_S)
        if self.fail is not None:
            raise self.fail
        results: list[Any] = []
        for work in works:
            try:
                results.append(work(None))
            except HotlineError as error:
                results.append(error)
        self.batches.append(results)
        return results

    def move_wal(self) -> None:
        """Note it, or fail."""
        self.moves += 1
        if self.fail_move is not None:
            raise self.fail_move


class Desk:
    """Hands commits to a writer and gathers what becomes of them."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.failures: list[StoreError] = []
        self.outcomes: list[Any] = []
        self._changed = trio.Event()
        self.writer = Writer(cast("Store", self.disk), self._failed, StoreThread())

    def _failed(self, error: StoreError) -> None:
        self.failures.append(error)

    def commit(
        self,
        value: Any,
        *,
        after: Callable[[Any], Any] | None = None,
        fault: Exception | None = None,
    ) -> Commit:
        """Make a commit that gives value, or raises fault."""

        def work(_: Any) -> Any:
            if fault is not None:
                raise fault
            return value

        def done(outcome: Any, moment: Moment) -> list[Effect]:
            assert threading.current_thread() is threading.main_thread()
            assert moment.now <= trio.current_time()
            self.outcomes.append(outcome)
            self._changed.set()
            return []

        return Commit(work, done, after)

    async def have(self, count: int) -> list[Any]:
        """Wait for so many outcomes, and give all."""
        with trio.fail_after(LONG_S):
            while len(self.outcomes) < count:
                self._changed = trio.Event()
                await self._changed.wait()
        return self.outcomes


@asynccontextmanager
async def open_desk() -> AsyncIterator[Desk]:
    """Start a writer, and end it."""
    desk = Desk()
    desk.writer.start()
    try:
        yield desk
    finally:
        desk.disk.going.set()
        with trio.CancelScope(shield=True):
            await desk.writer.close()
    assert not any(thread.is_alive() for thread in desk.disk.threads)


async def test_what_comes_while_the_disk_is_busy_shares_the_next_sync() -> None:
    """With an fsync for each message a few hundred a second get through, not tens of thousands."""
    async with open_desk() as desk:
        desk.disk.going.clear()
        desk.writer.submit([desk.commit(0)])
        await trio.to_thread.run_sync(desk.disk.began.wait, LONG_S)
        for number in range(1, 10):
            desk.writer.submit([desk.commit(number), desk.commit(-number)])
        desk.disk.going.set()
        expected = [0, *(value for number in range(1, 10) for value in (number, -number))]
        assert await desk.have(19) == expected
        assert desk.disk.batches == [[0], expected[1:]]


async def test_a_batch_is_bounded() -> None:
    """The first of a flood must not wait until the last is written."""
    async with open_desk() as desk:
        desk.disk.going.clear()
        desk.writer.submit([desk.commit(-1)])
        await trio.to_thread.run_sync(desk.disk.began.wait, LONG_S)
        for number in range(2000):
            desk.writer.submit([desk.commit(number)])
        desk.disk.going.set()
        assert (await desk.have(2001))[1:] == list(range(2000))
        assert max(map(len, desk.disk.batches)) <= 1024
        assert len(desk.disk.batches) < 10


async def test_what_follows_a_commit_runs_on_the_thread_and_only_when_it_is_durable() -> None:
    """A receipt that is signed before the disk has the entry promises what a power cut can take."""
    async with open_desk() as desk:
        seen: list[tuple[threading.Thread, int]] = []

        def sign(value: str) -> str:
            seen.append((threading.current_thread(), len(desk.disk.batches)))
            return f"signed {value}"

        refusal = RefusedError("queue-full", "no")
        desk.writer.submit(
            [desk.commit("a", after=sign), desk.commit(None, fault=refusal, after=sign)]
        )
        assert await desk.have(2) == ["signed a", refusal]
        assert seen == [(next(iter(desk.disk.threads)), 1)]
        assert threading.main_thread() not in desk.disk.threads


async def test_a_full_disk_is_told_and_tried_again() -> None:
    """Full is not broken: as soon as there is room the work goes on, without a restart."""
    async with open_desk() as desk:
        desk.disk.fail = StoreFullError("full")
        desk.writer.submit([desk.commit(1), desk.commit(2)])
        assert await desk.have(2) == [desk.disk.fail] * 2
        desk.disk.fail = None
        desk.writer.submit([desk.commit(3)])
        assert (await desk.have(3))[2] == 3
        assert desk.failures == []


@pytest.mark.parametrize(
    "fault", [StoreError("fsync failed"), AssertionError("a bug"), ValueError("another")]
)
async def test_a_store_that_failed_is_reported_once_and_never_asked_again(fault: Exception) -> None:
    """A second fsync after a failed one says "done" of pages that were thrown away."""
    async with open_desk() as desk:
        desk.disk.fail = fault
        desk.writer.submit([desk.commit(1)])
        (outcome,) = await desk.have(1)
        assert isinstance(outcome, StoreError)
        assert not isinstance(outcome, StoreFullError)
        assert desk.failures == [outcome]
        desk.disk.fail = None
        desk.writer.submit([desk.commit(2), desk.commit(3)])
        assert all(isinstance(one, StoreError) for one in (await desk.have(3))[1:])
        assert desk.disk.batches == []
        assert len(desk.failures) == 1


async def test_what_is_durable_is_not_called_refused_because_tidying_up_failed() -> None:
    """An operator who is told "disk full" sends the order again; it must not have been queued."""
    async with open_desk() as desk:
        desk.disk.fail_move = StoreFullError("no room to move the log")
        desk.writer.submit([desk.commit("kept")])
        assert await desk.have(1) == ["kept"]
        desk.disk.fail_move = None
        desk.writer.submit([desk.commit("next")])
        assert await desk.have(2) == ["kept", "next"]
        assert desk.failures == []


async def test_a_move_that_fails_for_good_stops_the_writing() -> None:
    """The log could not be moved: nothing that this process believes of the file is certain."""
    async with open_desk() as desk:
        desk.disk.fail_move = StoreError("I/O error")
        desk.writer.submit([desk.commit("durable")])
        assert await desk.have(1) == ["durable"]
        desk.writer.submit([desk.commit("refused")])
        assert isinstance((await desk.have(2))[1], StoreError)
        assert desk.failures == [desk.disk.fail_move]


async def test_a_function_runs_between_transactions() -> None:
    """A new line is written by the same connection: inside another's transaction it would be undone."""
    async with open_desk() as desk:
        desk.disk.going.clear()
        desk.writer.submit([desk.commit(1)])
        await trio.to_thread.run_sync(desk.disk.began.wait, LONG_S)
        desk.writer.submit([desk.commit(2)])
        found: list[tuple[int, bool]] = []

        def look() -> str:
            on_thread = threading.current_thread() in desk.disk.threads
            found.append((sum(map(len, desk.disk.batches)), on_thread))
            return "looked"

        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                assert await desk.writer.run(look) == "looked"

            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            desk.writer.submit([desk.commit(3)])
            desk.disk.going.set()
        assert found == [(2, True)]
        assert await desk.have(3) == [1, 2, 3]


async def test_what_a_function_raises_comes_back() -> None:
    """A store that refuses a new line must say so to whoever asked, not to the thread."""
    async with open_desk() as desk:

        def fail() -> None:
            raise StoreFullError("no room")

        with pytest.raises(StoreFullError, match="no room"):
            await desk.writer.run(fail)
        desk.writer.submit([desk.commit("goes on")])
        assert await desk.have(1) == ["goes on"]


async def test_a_fault_in_what_follows_a_commit_is_raised_to_who_watches() -> None:
    """In a callback of trio's it would end the program as a fault of trio's, and in no log."""
    async with open_desk() as desk:
        fault = KeyError("ours")

        def done(_outcome: Any, _moment: Moment) -> list[Effect]:
            raise fault

        with trio.fail_after(LONG_S):
            desk.writer.check()
            desk.writer.submit([desk.commit(1), Commit(lambda _: None, done), desk.commit(2)])
            with pytest.raises(KeyError) as caught:
                await desk.writer.watch()
        assert caught.value is fault
        desk.writer.submit([desk.commit(3)])
        await desk.writer.run(lambda: None)
        assert desk.outcomes == [1], "nothing is built upon what the fault left"
        assert desk.disk.batches == [[1, None, 2], [3]], "what was submitted is durable"
        with pytest.raises(KeyError):
            desk.writer.check()


async def test_closing_finishes_what_was_submitted() -> None:
    """What an operator was told is on its way to the disk must get there before the daemon ends."""
    async with open_desk() as desk:
        desk.disk.going.clear()
        desk.writer.submit([desk.commit(number) for number in range(700)])
        desk.writer.submit([desk.commit(number) for number in range(700, 900)])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(desk.writer.close)
            await trio.testing.wait_all_tasks_blocked()
            desk.disk.going.set()
        assert sum(map(len, desk.disk.batches)) == 900
        assert await desk.have(900) == list(range(900))
