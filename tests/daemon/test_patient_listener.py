"""A door on a machine that has no room left: it stays open, and says so seldom."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, cast

import pytest
import structlog
import trio
import trio.testing

from hotline.daemon.patient_listener import AGAIN_S, PatientListener
from hotline.daemon.rate_limit import INTERVAL_S, RateLimit

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger

Clock = trio.testing.MockClock


class Socket(trio.abc.Listener[trio.SocketStream]):
    """A listening socket that fails with these numbers, one a time, and then has a caller."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)
        self.tries = 0
        self.closed = False
        self.caller = cast("trio.SocketStream", object())

    async def accept(self) -> trio.SocketStream:
        """Fail, or give the caller."""
        await trio.lowlevel.checkpoint()
        self.tries += 1
        if self.numbers:
            raise OSError(self.numbers.pop(0), "no room")
        return self.caller

    async def aclose(self) -> None:
        """Close it."""
        self.closed = True


@pytest.fixture
def log() -> FilteringBoundLogger:
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
async def test_a_caller_who_finds_no_room_is_taken_in_later(
    autojump_clock: Clock, log: FilteringBoundLogger, number: int
) -> None:
    """A daemon that ends, or never looks again, is what whoever opens connections wanted."""
    socket = Socket(*[number] * 35)
    door = PatientListener(socket, "192.0.2.1:1963", log)
    with structlog.testing.capture_logs() as lines:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(door.tell)
            assert await door.accept() is socket.caller
            nursery.cancel_scope.cancel()
    assert autojump_clock.current_time() == pytest.approx(35 * AGAIN_S)
    assert lines == [
        {
            "event": "accept_failed",
            "log_level": "error",
            "door": "192.0.2.1:1963",
            "why": "no room",
            "count": count,
        }
        for count in counts(lines, 35)
    ]


def counts(lines: list[EventDict], tries: int) -> list[int]:
    """Give the counts that were told, which must be few and must add up."""
    told: list[int] = [line["count"] for line in lines]
    assert told[0] == 1, "the first was kept back"
    assert len(told) == 2 + int((tries - 1) * AGAIN_S / INTERVAL_S), (
        "one a second, and what was left"
    )
    assert sum(told) == tries
    return told


async def test_a_broken_socket_is_no_lack_of_room(log: FilteringBoundLogger) -> None:
    """To wait on it for ever would leave a station deaf, and its operator none the wiser."""
    socket = Socket(errno.EBADF)
    door = PatientListener(socket, "control", log)
    with structlog.testing.capture_logs() as lines, pytest.raises(OSError, match="no room"):
        await door.accept()
    assert (socket.tries, lines) == (1, [])
    await door.aclose()
    assert socket.closed


async def test_what_happens_often_is_told_seldom_and_counted(autojump_clock: Clock) -> None:
    """A line for each would wash the log away; a line without a number would play it down."""
    told: list[tuple[float, str, int]] = []
    now_s = autojump_clock.current_time
    seldom = RateLimit(lambda source, count: told.append((now_s(), source, count)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(seldom.run)
        seldom.note(source="first")
        await trio.testing.wait_all_tasks_blocked()
        for number in range(1000):
            seldom.note(source=f"s{number}")
        await trio.sleep(10 * INTERVAL_S)
        # Nobody else came: the last of them are told all the same, and a calm has no line.
        assert told == [(0.0, "first", 1), (INTERVAL_S, "s999", 1000)]
        seldom.note(source="later")
        await trio.testing.wait_all_tasks_blocked()
        assert told[2:] == [(10 * INTERVAL_S, "later", 1)]
        nursery.cancel_scope.cancel()
    assert len(told) == 3


async def test_what_was_counted_is_told_at_the_end(autojump_clock: Clock) -> None:
    """Whoever stops a daemon because of a flood looks for its size in the log afterwards."""
    told: list[tuple[str, int]] = []
    seldom = RateLimit(lambda source, count: told.append((source, count)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(seldom.run)
        seldom.note(source="s0")
        await trio.testing.wait_all_tasks_blocked()
        seldom.note(source="s1")
        seldom.note(source="s2")
        nursery.cancel_scope.cancel()
    assert told == [("s0", 1), ("s2", 2)]
    assert autojump_clock.current_time() == 0
