"""Whose fault a silence is: the kernel is asked, and believed only where its answer can tell.

Two answers mislead. Of a process that stood still itself the kernel says how things are now, and not
how they were while it did not look: it blames nobody before it has looked on for a whole heartbeat. And
when a network comes back, our kernel's repetitions may be answered before the peer's come through: TCP
doubles its pauses, so the peer's next one may take as long again as the silence has lasted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LATE: Final = 1.5
"""Our own heartbeat comes at each interval: whoever looks so many of them later stood still."""


class Silence:
    """Asks the kernel in a silence; times are monotonic seconds."""

    __slots__ = ("_attentive_since", "_kernel_took_all", "_looked_at", "_refused")

    def __init__(self, kernel_took_all: Callable[[], bool | None]) -> None:
        """Begin when nothing has been looked at."""
        self._kernel_took_all = kernel_took_all
        self._looked_at: float | None = None
        self._attentive_since = float("-inf")
        self._refused: tuple[float, float] | None = None
        """When the kernel first and last said, time after time, that what we send is not taken."""

    def look(self, now: float, heartbeat_s: float) -> None:
        """Note that this station is awake: should be called at every input."""
        if self._looked_at is not None and now - self._looked_at > _LATE * heartbeat_s:
            self._attentive_since = now
        self._looked_at = now

    def took_all(self, now: float, heard_at: float, interval_s: float) -> bool | None:
        """Tell whether the peer's kernel takes what we send while the peer is late; None: unknown."""
        took = self._kernel_took_all()
        if self._refused is not None and self._refused[1] < heard_at:
            self._refused = None  # that was another silence
        if took is False:
            self._refused = (self._refused or (now, now))[0], now
        if now < self._attentive_since + interval_s:
            return None
        if took and self._refused is not None:
            first, last = self._refused
            # Once alone it may have been what was just on its way.
            if last - first >= interval_s / 2 and now < last + max(interval_s, last - heard_at):
                return None
        return took
