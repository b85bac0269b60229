"""The store's writing thread, in virtual time: group commit, as hotline/daemon/writer.py does it.

A commit is asked for, waits, is made durable with others, and its outcome comes back later; the next
batch may be under way before the outcomes of the last one are told. A crash may fall in between.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from hotline.errors import HotlineError, StoreError, StoreFullError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.station import Station

    from hotline.line.effects import Commit

_BATCH_COMMITS = 512


class Writer:
    """Belongs to one life of one station."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.lost = False
        self.waiting = 0
        """Commits asked for and not yet told."""
        self.untold = 0
        """Commits that are durable, and nobody knows."""
        self._queue: deque[Sequence[Commit]] = deque()
        self._busy = False

    def submit(self, commits: Sequence[Commit]) -> None:
        """Make commits durable, in this order."""
        if commits:
            self._queue.append(commits)
            self.waiting += len(commits)
            self._go_on()

    def _go_on(self) -> None:
        if not self._busy and self._queue:
            self._busy = True
            self.station.later(0.00005, self._begin)

    def _begin(self) -> None:
        batch: list[Commit] = []
        while self._queue and len(batch) < _BATCH_COMMITS:
            batch += self._queue.popleft()
        low, high = self.station.world.options.commit_takes(self.station.identity)
        took_s = self.station.world.random.uniform(low, high)
        self.station.later(took_s, lambda: self._write(batch))

    def _write(self, batch: list[Commit]) -> None:
        station = self.station
        outcomes: list[Any]
        try:
            if self.lost:
                raise StoreError("the store failed before")
            outcomes = list(station.store.transact([commit.work for commit in batch]))
            station.durable()
            outcomes = [_after(*pair) for pair in zip(batch, outcomes, strict=True)]
            self._move_wal()
        except StoreFullError as error:
            self._found_full()
            outcomes = [error] * len(batch)
        except StoreError as error:
            if station.disk.dead:
                station.died_at_the_disk()
                return
            outcomes = [error] * len(batch)
            if not self.lost:
                self.lost = True
                station.store_failed(error)
        else:
            self.untold += len(batch)
        station.world.trace(station.name, "commits", len(batch), _kinds(outcomes))
        if self.untold and station.dies_untold:
            station.died_untold()
            return
        hop_s = station.world.random.uniform(0.00002, 0.002)
        station.later(hop_s, lambda: self._tell(batch, outcomes), ordered=True)
        self._busy = False
        self._go_on()

    def _move_wal(self) -> None:
        """Move the log: that there is no room for it takes nothing back that is durable."""
        try:
            self.station.store.move_wal()
        except StoreFullError:
            self._found_full()

    def _found_full(self) -> None:
        station = self.station
        station.was_full = True
        station.full_at = station.world.now
        station.disk.rolled_back()
        station.world.mark("a commit found the disk full")

    def _tell(self, batch: list[Commit], outcomes: list[Any]) -> None:
        self.untold = max(0, self.untold - len(batch))
        self.waiting -= len(batch)
        for commit, outcome in zip(batch, outcomes, strict=True):
            if self.station.writer is self:
                commit.done(outcome, self.station.moment())


def _after(commit: Commit, outcome: Any) -> Any:
    if commit.after is None or isinstance(outcome, HotlineError):
        return outcome
    return commit.after(outcome)


def _kinds(outcomes: list[Any]) -> str:
    return ",".join(type(one).__name__ for one in outcomes if isinstance(one, Exception))
