"""The store's one writing thread: group commit.

While one transaction is being made durable, the next commits gather; the thread then takes all of
them at once. So an idle line pays one fsync, and a busy one shares it among hundreds of entries; and
the event loop is crossed once a batch each way, however many commits it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio

from hotline.daemon.clock import moment
from hotline.errors import HotlineError, StoreError, StoreFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotline.daemon.worker import Item, Worker
    from hotline.line.effects import Commit
    from hotline.store.interface import Store

T = TypeVar("T")

_BATCH_COMMITS: Final = 512
"""Commits in one transaction: bounds how long the first of them waits for the last."""


class Writer:
    """Runs commits on a thread of its own and hands their outcomes back to the event loop."""

    def __init__(
        self,
        store: Store,
        failed: Callable[[StoreError], None],
        worker: Worker,
    ) -> None:
        """Write to store by worker, and tell failed, once, that it is lost."""
        self._store = store
        self._failed = failed
        self._worker = worker
        self._lost = False
        self._closing = False
        self._fault: Exception | None = None
        self._faulted = trio.Event()

    def start(self) -> None:
        """Begin to write."""
        self._worker.start(self._turn)

    async def run(self, function: Callable[[], T]) -> T:
        """Run function on the store's thread, after all that was submitted, and give its result."""
        finished = trio.Event()
        results: list[T | Exception] = []

        def job() -> None:
            try:
                results.append(function())
            except Exception as error:  # noqa: BLE001 - it is raised again where it was asked for
                results.append(error)
            self._worker.call(finished.set)

        self._worker.put(job)
        await finished.wait()
        if isinstance(results[0], Exception):
            raise results[0]
        return results[0]

    async def move_wal(self) -> None:
        """Have the write-ahead log moved now; whatever comes of it is judged as after a commit."""
        await self.run(self._move_wal)

    async def watch(self) -> None:
        """Wait for a fault of this program in what follows a commit, and raise it.

        Outcomes are told by a callback of trio's, which has nobody to raise it to.
        """
        await self._faulted.wait()
        self.check()

    def check(self) -> None:
        """Raise such a fault if there was one."""
        if self._fault is not None:
            raise self._fault

    def submit(self, commits: Sequence[Commit]) -> None:
        """Make commits durable, in this order, in one transaction if possible."""
        if commits:
            self._worker.put(commits)

    async def close(self) -> None:
        """Finish what was submitted and stop; the store may be closed afterwards."""
        self._worker.put(self._close)
        await self._worker.end()

    def _close(self) -> None:
        self._closing = True

    def _turn(self, item: Item | None, more: Callable[[], Item | None]) -> bool:
        batch: list[Commit] = []
        while item is not None and not callable(item):
            batch += item
            item = more() if len(batch) < _BATCH_COMMITS else None
        if batch:
            self._write(batch)
        if item is not None:
            item()
        return not self._closing

    def _write(self, batch: list[Commit]) -> None:
        outcomes: list[Any]
        try:
            if self._lost:
                raise StoreError("the store failed before")
            outcomes = list(self._store.transact([commit.work for commit in batch]))
            outcomes = [_after(*pair) for pair in zip(batch, outcomes, strict=True)]
        except StoreFullError as error:
            outcomes = [error] * len(batch)
        except StoreError as error:
            # Never again: a failed fsync may have lost what a second one would claim to have.
            outcomes = self._lose(error, batch)
        except Exception as error:  # noqa: BLE001 - a fault of ours in a work: as untrustworthy
            outcomes = self._lose(_ours(error), batch)
        self._worker.call(self._deliver, batch, outcomes)
        self._move_wal()

    def _move_wal(self) -> None:
        # After the outcomes are on their way: what is durable stays so, whatever comes of this.
        try:
            if not self._lost:
                self._store.move_wal()
        except StoreFullError:
            return  # the write-ahead log holds it all; the next commit tries again
        except StoreError as error:
            self._lose(error, [])
        except Exception as error:  # noqa: BLE001 - else the thread would end, and nobody hear of it
            self._lose(_ours(error), [])

    def _lose(self, error: StoreError, batch: list[Commit]) -> list[StoreError]:
        if not self._lost:
            self._lost = True
            self._worker.call(self._failed, error)
        return [error] * len(batch)

    def _deliver(self, batch: list[Commit], outcomes: list[Any]) -> None:
        if self._fault is not None:
            return  # what the fault has left half done may not be built upon
        try:
            for commit, outcome in zip(batch, outcomes, strict=True):
                commit.done(outcome, moment())
        except Exception as error:  # noqa: BLE001 - ``watch`` raises it
            self._fault = error
            self._faulted.set()


def _ours(error: Exception) -> StoreError:
    """Tell of a fault of this program without its words, which may be those of a message."""
    fault = StoreError(
        f"a fault in this program: {type(error).__name__}", hint="report what the log says"
    )
    fault.__cause__ = error
    return fault


def _after(commit: Commit, outcome: Any) -> Any:
    if commit.after is None or isinstance(outcome, HotlineError):
        return outcome
    return commit.after(outcome)
