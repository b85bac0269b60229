"""What is asked of a store outside of commits: who learns that it could not answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
import trio

from hotline.daemon.questions import Questions
from hotline.errors import RefusedError, StoreDamagedError, StoreError, StoreFullError
from hotline.limits import DISK_RESERVE_BYTES, INCOMING_RESERVE_BYTES
from hotline.store.interface import Store


class Disk:
    """A store that fails when told to."""

    def __init__(self) -> None:
        self.fail: Exception | None = None
        self.free = 2**40

    def read(self, work: Callable[[Any], Any]) -> Any:
        """Run work, or fail."""
        if self.fail is not None:
            raise self.fail
        return work(None)

    def is_crowded(self) -> bool:
        """Say that there is no reason to wait."""
        return False

    def free_bytes(self) -> int:
        """Give what is free, or fail."""
        if self.fail is not None:
            raise self.fail
        return self.free


class Desk:
    """Asks a disk, and keeps what the station is told."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.failures: list[StoreError] = []
        self.questions = Questions(
            cast("Store", self.disk),
            trio.to_thread.run_sync,
            self.failures.append,
            structlog.get_logger(),
            trio.lowlevel.checkpoint,
        )


async def test_a_disk_that_fails_is_told_to_who_asks_and_to_the_station() -> None:
    """A daemon that lets only the operator know goes on promising what it cannot keep."""
    desk = Desk()
    assert await desk.questions.read(lambda _: "answer") == "answer"
    desk.disk.fail = StoreError("i/o error")
    with pytest.raises(StoreError, match="i/o error"):
        await desk.questions.read(lambda _: "answer")
    assert desk.failures == [desk.disk.fail]


@pytest.mark.parametrize("fault", [StoreFullError("full"), RefusedError("busy", "no descriptor")])
async def test_what_may_be_tried_again_is_told_to_who_asks_alone(fault: Exception) -> None:
    """A full disk is no broken one: the lines go on."""
    desk = Desk()
    desk.disk.fail = fault
    with pytest.raises(type(fault)):
        await desk.questions.read(lambda _: "answer")
    assert desk.failures == []


async def test_each_damaged_row_is_one_alarm() -> None:
    """A script that looks every second must not bury the alarm under itself."""
    desk = Desk()
    with structlog.testing.capture_logs() as told:
        for row in (1, 1, 2, 1):
            desk.disk.fail = StoreDamagedError(f"row {row}")
            with pytest.raises(StoreDamagedError):
                await desk.questions.read(lambda _: "answer")
    assert [(one["event"], one["log_level"], one["why"]) for one in told] == [
        ("store_damaged", "critical", "row 1"),
        ("store_damaged", "critical", "row 2"),
    ]
    assert desk.failures == []


def test_not_every_row_of_a_rotten_disk_is_an_alarm() -> None:
    """What was told of is remembered: a store of a million damaged rows would fill log and memory."""
    desk = Desk()
    with structlog.testing.capture_logs() as told:
        for row in range(3000):
            desk.questions.damaged(StoreDamagedError(f"row {row}"))
    assert 100 < len(told) < 2000


def test_a_disk_that_does_not_tell_its_room_has_failed() -> None:
    """Raised into the middle of a session, it would end the daemon without a word to any peer."""
    desk = Desk()
    desk.disk.fail = StoreError("stale file handle")
    assert not desk.questions.has_room()
    assert desk.failures == [desk.disk.fail]
    with pytest.raises(StoreError, match="stale"):
        desk.questions.check_disk(Path("state"))


def test_room_is_what_the_limits_say() -> None:
    """What is accepted must find room to be sealed, after what the peer sends has been refused."""
    desk = Desk()
    for free, accepts, takes_in in (
        (DISK_RESERVE_BYTES, True, True),
        (DISK_RESERVE_BYTES - 1, False, True),
        (INCOMING_RESERVE_BYTES, False, True),
        (INCOMING_RESERVE_BYTES - 1, False, False),
    ):
        desk.disk.free = free
        assert desk.questions.has_room() == takes_in
        if accepts:
            desk.questions.check_disk(Path("state"))
        else:
            with pytest.raises(RefusedError) as caught:
                desk.questions.check_disk(Path("state"))
            assert caught.value.code == "disk-full"
            assert caught.value.hint == "make room: messages are taken while 64.0 MiB are free"
    assert desk.failures == []
