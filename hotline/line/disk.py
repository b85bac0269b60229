"""Whether our own disk does what one line asks of it: heartbeats go on without it."""

from __future__ import annotations

from hotline.limits import STORE_STALLED_S


class Disk:
    """Commits of one line that have no outcome yet, and what there was no room for last.

    Times are monotonic seconds.
    """

    __slots__ = ("_full_for", "_silent_since", "_waiting")

    def __init__(self) -> None:
        """Start with nothing asked."""
        self._full_for: set[str] = set()
        self._waiting = 0
        self._silent_since: float | None = None

    def asked(self) -> None:
        """One more commit is on its way."""
        self._waiting += 1

    def answered(self, now: float) -> None:
        """One has its outcome, whatever that is."""
        self._waiting -= 1
        self._silent_since = now if self._waiting else None

    def look(self, now: float) -> None:
        """Note since when it is waited for: should be called after anything."""
        if self._waiting and self._silent_since is None:
            self._silent_since = now

    def stalled(self, now: float) -> bool:
        """Tell whether it is stuck."""
        return self._silent_since is not None and now >= self._silent_since + STORE_STALLED_S

    def stalls_at(self, now: float) -> float | None:
        """Give when it counts as stuck unless it answers; None if that is not to come."""
        if self._silent_since is None or self.stalled(now):
            return None
        return self._silent_since + STORE_STALLED_S

    def full(self, what: str) -> bool:
        """It has no room for something; tells whether that is news, for it had room for everything."""
        news = not self._full_for
        self._full_for.add(what)
        return news

    def room(self, what: str) -> None:
        """It has taken that."""
        self._full_for.discard(what)

    def refuses(self, what: str) -> bool:
        """Tell whether it had no room for that last."""
        return what in self._full_for
