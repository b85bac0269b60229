"""How much of our log may be in flight: bounded by bytes and by the measured rate of the link.

What is sent can no longer be overtaken, so a FLASH waits behind all of it. The window therefore grows
only while receipts come back promptly, by LEDBAT's idea (RFC 6817): the signal is queueing delay, that
is, how much later than the best a receipt comes. It starts at one record, doubles per round trip until
the first late receipt, and then probes gently. Where it stays small the link is slow, and parts of
long messages are cut to one record each.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from hotline.limits import (
    ENTRY_BYTES,
    FRAME_BYTES,
    IN_FLIGHT_BYTES,
    KIB,
    WINDOW_LEAST_S,
    WINDOW_TARGET_S,
)
from hotline.wire.entries import CHUNK_BYTES, PART_OVERHEAD_BYTES, SLOW_CHUNK_BYTES

_RECORD_OF_ENTRIES: Final = SLOW_CHUNK_BYTES + PART_OVERHEAD_BYTES
"""The smallest window: what fits in one record."""

_PROBE_SHARE: Final = 8
"""After the first late receipt the window grows by this share of what was receipted."""

_URGENT_RECORDS: Final = 4
"""So many records of FLASH may go beyond a full window: its receipts are a whole round trip away."""

_HURRIED: Final = 24 * KIB
_HURRIED_S: Final = 2.0
"""A FLASH seldom comes alone: for so long after one, no more than this goes in the way of the next.

It costs what drains meanwhile half of its rate or more, for a run of a few entries costs a commit too.
"""

_NEAR_S: Final = 0.005
"""A path that takes longer holds more, and what it holds is in nobody's way."""

_RUNS_A_WINDOW: Final = 3

_SMALL: Final = 2 * FRAME_BYTES
"""A window that keeps both disks of a fast line at work."""

_BEST_DELAY_S: Final = 60.0
"""The best delay is forgotten after this, for paths change."""


class Window:
    """Runs sent and not yet receipted on one session, and how many more bytes may follow."""

    __slots__ = (
        "_best_s",
        "_best_since",
        "_cut_at",
        "_hurried_until",
        "_probing",
        "_recent_s",
        "_runs",
        "_size",
        "in_flight_bytes",
    )

    def __init__(self, now: float) -> None:
        """Start with nothing in flight and nothing known of the link."""
        self._runs: deque[tuple[int, int, float]] = deque()
        self.in_flight_bytes = 0
        self._size = _RECORD_OF_ENTRIES
        self._best_s = float("inf")
        self._recent_s = float("inf")
        self._best_since = now
        self._cut_at = now
        self._probing = False
        self._hurried_until: float | None = None

    def hurry(self, now: float) -> None:
        """A FLASH is on its way: for a while, keep less in the way of others."""
        self._hurried_until = now + _HURRIED_S

    @property
    def _limit(self) -> int:
        if self._hurried_until is None:
            return self._size
        return int(min(self._size, _HURRIED * max(1.0, self._best_s / _NEAR_S)))

    @property
    def room_bytes(self) -> int:
        """Bytes that may be sent now; 0 means wait for a receipt.

        With nothing in flight one entry may always go, whatever its size.
        """
        room = self._limit - self.in_flight_bytes
        if self._runs:
            return room if room >= _RECORD_OF_ENTRIES else 0
        return max(room, _RECORD_OF_ENTRIES)

    @property
    def urgent_room_bytes(self) -> int:
        """The same for a FLASH: a record at a time, four beyond the window, within IN_FLIGHT_BYTES."""
        beyond = self._size + _URGENT_RECORDS * _RECORD_OF_ENTRIES
        room = min(beyond, IN_FLIGHT_BYTES) - self.in_flight_bytes
        return self.room_bytes or (_RECORD_OF_ENTRIES if room >= _RECORD_OF_ENTRIES else 0)

    @property
    def run_bytes(self) -> int:
        """How much one run should carry at most: a window is a few runs, so that receipts flow."""
        return max(self._limit // _RUNS_A_WINDOW, _RECORD_OF_ENTRIES)

    @property
    def _allowed_s(self) -> float:
        """How much later than the best a receipt may come: a share of the path's own delay.

        On a fast path little, for all that is in flight is in a FLASH's way; but no less than a
        disk takes for a few commits, and a small window may always be late by the whole quarter
        second: on a busy machine nothing would be left of it.
        """
        if self._size <= _SMALL:
            return WINDOW_TARGET_S
        return min(max(self._best_s / 2, WINDOW_LEAST_S), WINDOW_TARGET_S)

    @property
    def chunk_bytes(self) -> int:
        """How large a part of a long message should be cut now."""
        return CHUNK_BYTES if self._size >= 4 * ENTRY_BYTES else SLOW_CHUNK_BYTES

    @property
    def waiting_since(self) -> float | None:
        """When the oldest run in flight was sent, or None."""
        return self._runs[0][2] if self._runs else None

    def sent(self, last: int, size_bytes: int, now: float) -> None:
        """Count a run that ends at entry number last as in flight."""
        self._runs.append((last, size_bytes, now))
        self.in_flight_bytes += size_bytes

    def receipted(self, number: int, now: float) -> None:
        """Learn from a receipt over all entries up to number."""
        released = 0
        sent_at = now
        while self._runs and self._runs[0][0] <= number:
            _, size_bytes, sent_at = self._runs.popleft()
            released += size_bytes
        if not released:
            return
        if self._hurried_until is not None and now >= self._hurried_until:
            self._hurried_until = None
        in_flight_bytes = self.in_flight_bytes
        self.in_flight_bytes -= released
        delay = now - sent_at
        self._remember(delay, now)
        late = delay > self._best_s + self._allowed_s
        if late and in_flight_bytes <= _RECORD_OF_ENTRIES:
            # Nothing of ours was in its way: this is what the path takes now, because the machine or
            # the disk over there is busy, say. Whoever went on comparing with better days would
            # stay at one record for as long as it is.
            self._best_s = self._recent_s = delay
            self._best_since, self._probing, late = now, False, False
        if late:
            self._probing = True
            # Once for all that was sent before: it cannot yet tell what the cut has done.
            if sent_at >= self._cut_at:
                # What is in flight took so long, so this is what the link carries without a queue.
                carried = int(in_flight_bytes * self._best_s / delay)
                if delay <= self._best_s + WINDOW_TARGET_S:
                    # Late by a disk's hiccup, perhaps: one of those must not empty a fast line.
                    carried = max(carried, self._size // 2)
                self._size = max(_RECORD_OF_ENTRIES, min(self._size, carried))
                self._cut_at = now
        elif self._limit == self._size:  # what is not filled has not been tried
            # A first receipt that takes this long may mean a slow link: do not double into it.
            self._probing = self._probing or delay > WINDOW_TARGET_S
            growth = released // _PROBE_SHARE if self._probing else released
            self._size = min(IN_FLIGHT_BYTES, self._size + growth)

    def _remember(self, delay: float, now: float) -> None:
        self._recent_s = min(self._recent_s, delay)
        self._best_s = min(self._best_s, delay)
        if now - self._best_since > _BEST_DELAY_S:
            self._best_s, self._recent_s, self._best_since = self._recent_s, float("inf"), now
