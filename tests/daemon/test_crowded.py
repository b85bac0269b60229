"""Operators who ask without a pause: the write-ahead log is cut back between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
import structlog
import trio
from store import acts

from hotline.daemon.questions import Questions
from hotline.daemon.worker import StoreThread
from hotline.daemon.writer import Writer
from hotline.limits import MIB
from hotline.line.effects import Commit
from hotline.model import Side
from hotline.store import sqlite
from hotline.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hotline.store.interface import Reader, Store


def commit(line: int, *ids: str) -> Commit:
    """Accept messages of 5 kB."""
    messages = [acts.outgoing(one, "x" * 5000) for one in ids]
    return Commit(lambda tx: tx.enqueue(line, messages), lambda *_: [])


async def test_questions_without_a_pause_do_not_let_the_log_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each began before the last had ended, and the log grew with every commit, up to a full disk."""
    monkeypatch.setattr(sqlite, "WAL_BYTES", MIB // 4)
    monkeypatch.setattr(sqlite, "TRUNCATE_BYTES", MIB)
    store = SqliteStore.open(tmp_path / "s.db", station_id=acts.OWN_ID)
    line = store.add_line("south", acts.PEER_ID)
    writer = Writer(store, print, StoreThread())
    questions = Questions(
        store, trio.to_thread.run_sync, print, structlog.get_logger(), writer.move_wal
    )
    writer.start()
    wal = tmp_path / "s.db-wal"
    sizes: list[int] = []
    begun = ended = 0

    async def ask() -> None:
        """Look twice with a pause between, so that another has begun by then."""
        nonlocal begun, ended

        def look(reader: Reader) -> int:
            found = len(reader.page(Side.OWN, most=1))
            trio.from_thread.run(trio.sleep, 0.02)
            return found

        while len(sizes) < 100:
            begun += 1
            await questions.read(look)
            ended += 1

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(ask)
            await trio.sleep(0.007 * (number > 0))
        for number in range(100):
            writer.submit([commit(line, *(f"m{number}-{each}" for each in range(20)))])
            await trio.sleep(0.01)
            sizes.append(wal.stat().st_size)
    await writer.close()
    assert begun == ended > 10
    assert max(sizes) < 4 * MIB
    store.close()


class Crowd:
    """A store on which the log is long until it has been moved, and a moment long nobody reads."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.is_long = True

    def is_crowded(self) -> bool:
        return self.is_long

    def read(self, work: Callable[[Any], str]) -> str:
        return work(None)

    async def in_thread(self, work: Callable[[], str]) -> str:
        self.told.append("begun")
        await trio.sleep(1)
        self.told.append("ended")
        return work()

    async def move_wal(self) -> None:
        await trio.lowlevel.checkpoint()
        self.told.append("moved")
        self.is_long = len(self.told) < 4


@pytest.mark.usefixtures("autojump_clock")
async def test_one_at_a_time_while_the_log_is_long() -> None:
    """Who waits for another's question waits no longer than it takes, and only as long as needed."""
    crowd = Crowd()
    questions = Questions(
        cast("Store", crowd), crowd.in_thread, print, structlog.get_logger(), crowd.move_wal
    )
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(questions.read, str)
    assert crowd.told == [
        *("moved", "begun", "ended", "moved", "begun", "ended"),
        *("begun", "begun", "ended", "ended"),
    ]
