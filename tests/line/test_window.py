"""The window: never too much in flight, never stuck, and small where the link is slow."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hotline.limits import ENTRY_BYTES, FRAME_BYTES, IN_FLIGHT_BYTES, MIB, RECORD_BYTES
from hotline.line.window import Window
from hotline.wire.entries import CHUNK_BYTES, PART_OVERHEAD_BYTES, SLOW_CHUNK_BYTES


class AnyLink(RuleBasedStateMachine):
    """A link that receipts when it likes, and a sender that takes what room there is."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.window = Window(self.now)
        self.sent: deque[tuple[int, int]] = deque()
        self.number = 0

    @rule(share=st.floats(0.0, 1.0), entry=st.integers(1, ENTRY_BYTES), urgent=st.booleans())
    def send(self, share: float, entry: int, *, urgent: bool) -> None:
        """Send some of the room, or one entry of any size where nothing is in flight."""
        room = self.window.urgent_room_bytes if urgent else self.window.room_bytes
        if not room:
            return
        size = max(1, int(room * share))
        if not self.sent:
            size = max(size, entry)
        self.number += 1
        self.sent.append((self.number, size))
        self.window.sent(self.number, size, self.now)

    @rule(count=st.integers(1, 5))
    def receipt(self, count: int) -> None:
        """Let receipts come for what is oldest."""
        last = 0
        for _ in range(min(count, len(self.sent))):
            last, _size = self.sent.popleft()
        self.window.receipted(last, self.now)

    @rule()
    def stale_receipt(self) -> None:
        """Let a receipt come that says nothing new."""
        before = (self.window.in_flight_bytes, self.window.room_bytes)
        self.window.receipted(self.sent[0][0] - 1 if self.sent else self.number, self.now)
        assert (self.window.in_flight_bytes, self.window.room_bytes) == before

    @rule()
    def hurry(self) -> None:
        """Let a FLASH go."""
        self.window.hurry(self.now)

    @rule(seconds=st.floats(0.0001, 100.0))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    @invariant()
    def bounded(self) -> None:
        """The reader was promised that it need not hold more."""
        assert self.window.in_flight_bytes == sum(size for _, size in self.sent)
        assert self.window.in_flight_bytes <= IN_FLIGHT_BYTES
        assert self.window.in_flight_bytes + self.window.room_bytes <= IN_FLIGHT_BYTES + ENTRY_BYTES

    @invariant()
    def never_stuck(self) -> None:
        """With nothing in flight no receipt will come to make room."""
        if not self.sent:
            assert self.window.room_bytes > 0
            assert self.window.waiting_since is None
        else:
            assert self.window.waiting_since is not None

    @invariant()
    def chunks_are_one_of_two(self) -> None:
        """A chunk of any other size would be cut for no link."""
        assert self.window.chunk_bytes in (CHUNK_BYTES, SLOW_CHUNK_BYTES)


AnyLink.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyLink: Any = AnyLink.TestCase


class Simulated:
    """A link of a given rate and delay, whose sender always has more to send."""

    def __init__(self, rate: float, delay_s: float) -> None:
        self.rate = rate
        self.delay_s = delay_s
        self.now = 0.0
        self.window = Window(0.0)
        self.busy_until = 0.0
        self.number = 0
        self.receipts: deque[tuple[float, int]] = deque()
        self.carried = 0
        self.most_in_flight = 0

    def run(self, seconds: float) -> None:
        """Send all that the window lets through, for a while."""
        end = self.now + seconds
        while self.now < end:
            while room := self.window.room_bytes:
                size = min(room, self.window.chunk_bytes + PART_OVERHEAD_BYTES)
                self.number += 1
                self.window.sent(self.number, size, self.now)
                self.carried += size
                self.busy_until = max(self.now, self.busy_until) + size / self.rate
                self.receipts.append((self.busy_until + self.delay_s, self.number))
            self.most_in_flight = max(self.most_in_flight, self.window.in_flight_bytes)
            self.now, number = self.receipts.popleft()
            self.window.receipted(number, self.now)

    @property
    def queued_s(self) -> float:
        """What an entry that is sent now waits behind."""
        return max(0.0, self.busy_until - self.now)


@pytest.mark.parametrize("delay_s", [0.02, 0.3, 0.6])
def test_a_flash_waits_for_little_on_a_slow_link(delay_s: float) -> None:
    """At 64 kbit/s every 8 KiB in flight are a second of waiting."""
    link = Simulated(8000.0, delay_s)
    link.run(10)
    link.most_in_flight = 0
    link.run(120)
    assert link.most_in_flight <= 4 * RECORD_BYTES
    assert link.queued_s < 2.0
    assert link.window.chunk_bytes == SLOW_CHUNK_BYTES
    assert link.carried > 130 * 8000 * (0.5 if delay_s < 0.5 else 0.4)


@pytest.mark.parametrize(("rate", "delay_s"), [(100e6, 0.001), (10e6, 0.05), (1e6, 0.3)])
def test_a_fast_link_is_filled(rate: float, delay_s: float) -> None:
    """A window that stays small would make a fast link slow."""
    link = Simulated(rate, delay_s)
    link.run(20)
    before, began = link.carried, link.now
    link.run(20)
    possible = min(rate, IN_FLIGHT_BYTES / delay_s)
    assert (link.carried - before) / (link.now - began) > 0.5 * possible
    assert link.most_in_flight <= IN_FLIGHT_BYTES
    assert link.window.chunk_bytes == CHUNK_BYTES


def test_a_flash_goes_beyond_a_full_window_but_not_far() -> None:
    """The receipt that makes room is a round trip away; a hundred FLASHes wait for it all the same."""
    window = Window(0.0)
    window.sent(1, window.room_bytes, 0.0)
    assert window.room_bytes == 0
    sent = 1
    while room := window.urgent_room_bytes:
        sent += 1
        window.sent(sent, room, 0.0)
    assert 2 < sent < 10
    window.receipted(sent, 0.01)
    assert window.room_bytes > 0


def test_where_a_flash_has_gone_less_stands_in_the_way_of_the_next() -> None:
    """What is in flight on a fast line is work of both machines that a FLASH waits for."""
    link = Simulated(10e6, 0.002)
    link.run(5)
    before = link.window.room_bytes + link.window.in_flight_bytes
    assert before > FRAME_BYTES
    link.window.hurry(link.now)
    link.run(0.3)
    link.most_in_flight = 0
    link.run(1)
    assert link.most_in_flight <= FRAME_BYTES // 2
    assert 2 * link.window.run_bytes <= FRAME_BYTES // 2
    while (after := link.window.room_bytes + link.window.in_flight_bytes) <= FRAME_BYTES // 2:
        link.run(0.001)
    assert before // 2 <= after <= before * 3 // 2, "it goes on where it was"
    assert link.now < 8


def test_a_flash_takes_nothing_from_a_path_that_is_long() -> None:
    """What is under way to a satellite is in nobody's way, and without it the line would crawl."""
    link = Simulated(1e6, 0.3)
    link.run(20)
    before, began = link.carried, link.now
    for _ in range(20):
        link.window.hurry(link.now)
        link.run(1)
    assert (link.carried - before) / (link.now - began) > 0.9 * 1e6


def test_a_link_that_grows_slow_is_given_less() -> None:
    """A path that changes under way must not leave a megabyte in front of the next FLASH."""
    link = Simulated(10e6, 0.02)
    link.run(20)
    assert link.most_in_flight > MIB // 4
    link.rate = 8000.0
    link.run(200)
    link.most_in_flight = 0
    link.run(60)
    assert link.most_in_flight <= 8 * RECORD_BYTES


def test_a_path_that_became_slow_to_answer_is_still_filled() -> None:
    """A peer whose machine is busy answers late whatever is sent: one record at a time is no cure."""
    link = Simulated(10e6, 0.002)
    link.run(5)
    link.delay_s = 0.6
    link.run(60)
    before, began = link.carried, link.now
    link.run(20)
    possible = IN_FLIGHT_BYTES / link.delay_s
    assert (link.carried - before) / (link.now - began) > 0.25 * possible


def test_one_slow_commit_does_not_empty_a_fast_line() -> None:
    """A disk hiccups every second or so; a line that begins anew each time never gets up to speed."""
    link = Simulated(10e6, 0.002)
    link.run(5)
    before = link.window.room_bytes + link.window.in_flight_bytes
    link.busy_until = link.now + 0.1
    link.run(0.2)
    assert link.window.room_bytes + link.window.in_flight_bytes >= before // 4


def test_runs_are_a_share_of_the_window() -> None:
    """One run as large as the window would have each side wait for the other's disk in turn."""
    link = Simulated(10e6, 0.002)
    assert link.window.run_bytes <= RECORD_BYTES
    link.run(5)
    whole = link.window.room_bytes + link.window.in_flight_bytes
    assert 2 * link.window.run_bytes <= whole


def test_a_fresh_session_begins_with_one_record() -> None:
    """Nothing is known of the link: the first FLASH must not stand behind a burst."""
    window = Window(0.0)
    assert 0 < window.room_bytes <= RECORD_BYTES
