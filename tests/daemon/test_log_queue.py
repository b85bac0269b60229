"""The queue of the log: what is told is written later, in order, all of it, and never piles up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from hotline.daemon import log_queue
from hotline.daemon.log_queue import WAITING, LogQueue

LONG_S = 30.0


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[LogQueue]:
    """Give a queue whose thread will not get to anything by itself."""
    monkeypatch.setattr(log_queue, "LINGER_S", LONG_S)
    made = LogQueue()
    yield made
    made.close()


def test_what_is_told_is_written_by_the_thread() -> None:
    """A line that waits for the next one may wait until tomorrow."""
    made = LogQueue()
    for _ in range(3):  # once it rests it must be woken again
        written = threading.Event()
        threads: list[threading.Thread] = []

        def write(
            written: threading.Event = written, who: list[threading.Thread] = threads
        ) -> None:
            who.append(threading.current_thread())
            written.set()

        made.tell(write)
        assert written.wait(LONG_S)
        assert threads[0] is not threading.current_thread()
    made.close()


def test_nothing_is_written_in_the_way_of_who_tells(idle: LogQueue) -> None:
    """It is what the queue is for: to spell a line takes longer than to sign a message."""
    written: list[int] = []
    for number in range(WAITING):
        idle.tell(partial(written.append, number))
    assert written == []


def test_who_tells_too_much_writes_it_down(idle: LogQueue) -> None:
    """A flood of lines must not become a heap of lines."""
    written: list[int] = []
    for number in range(WAITING + 1):
        idle.tell(partial(written.append, number))
    assert written == list(range(WAITING + 1))


def test_a_stop_leaves_nothing_and_what_comes_later_is_written_too(idle: LogQueue) -> None:
    """The last lines before an end are those that somebody will look for."""
    written: list[str] = []
    idle.tell(partial(written.append, "before"))
    idle.close()
    assert written == ["before"]
    idle.tell(partial(written.append, "after"))
    assert written == ["before", "after"]
