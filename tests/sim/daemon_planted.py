"""Bugs to plant in the daemon's own layer: the first tier plays that layer, and so cannot find them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import trio

from hotline.daemon.clock import moment
from hotline.daemon.connection import Connection
from hotline.daemon.runner import Runner
from hotline.daemon.station import Station
from hotline.daemon.writer import Writer
from hotline.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator


def _told_though_it_failed(self: Writer, batch: list[Any]) -> None:
    """Outcomes are told as if the commit had held, whatever became of it."""
    outcomes: list[Any] = []

    def note(work: Any) -> Any:
        def noted(tx: Any) -> Any:
            outcomes.append(work(tx))
            return outcomes[-1]

        return noted

    try:
        self._store.transact([note(commit.work) for commit in batch])
    except StoreError as error:
        self._lose(error, [])
    outcomes = [
        commit.after(one) if commit.after else one
        for commit, one in zip(batch, outcomes, strict=False)
    ]
    self._worker.call(self._deliver, batch[: len(outcomes)], outcomes)


def _failure_swallowed(self: Writer, error: StoreError, batch: list[Any]) -> list[StoreError]:
    """A failed store is told to whoever asked, and to nobody else."""
    self._lost = True
    return [error] * len(batch)


async def _waits_for_ever(self: Station) -> None:
    """A station that stops waits until every farewell has been taken, however long that is."""
    for runner in self._runners.values():
        runner.perform(runner.line.stop(moment()))
    while any(runner._connections for runner in self._runners.values()):  # noqa: ASYNC110 - it is a bug
        await trio.sleep(3.0)


async def _left_open(self: Connection) -> None:
    """A connection that ends is forgotten, and its socket stays."""
    trouble = "session-lost"
    with self._scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send)
            with self._reading:
                trouble = await self._receive()
                nursery.cancel_scope.cancel()
    if self._farewell is None:
        self._ended(trouble)


def _receipt_at_once(self: Runner, commit: Any) -> Any:
    """What follows a commit is done when it is handed over."""
    from hotline.line.effects import Commit

    def work(tx: Any) -> Any:
        outcome = commit.work(tx)
        outcome = commit.after(outcome) if commit.after else outcome
        self.perform(commit.done(outcome, moment()))
        return outcome

    return Commit(work, lambda _outcome, _then: [])


BUGS: Final[dict[str, tuple[Any, str, Any]]] = {
    "told_though_it_failed": (Writer, "_write", _told_though_it_failed),
    "failure_swallowed": (Writer, "_lose", _failure_swallowed),
    "waits_for_ever": (Station, "_say_goodbye", _waits_for_ever),
    "left_open": (Connection, "run", _left_open),
    "done_before_commit": (Runner, "_bound", _receipt_at_once),
}


@contextmanager
def planted(bug: str) -> Iterator[None]:
    """Let the daemon have a bug for a while."""
    with patch.object(*BUGS[bug][:2], BUGS[bug][2]):
        yield
