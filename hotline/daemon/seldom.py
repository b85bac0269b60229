"""Lines of the log about what others may cause as often as they like: few, and with a count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

SELDOM_S: Final = 1.0
"""Between two lines of the log about what others may cause as often as they like."""


class Seldom:
    """Tells of what happens often, once in SELDOM_S at most, with how many there were since."""

    def __init__(self, tell: Callable[..., object]) -> None:
        """Tell takes the last one's fields, and ``count``."""
        self._tell = tell
        self._count = 0
        self._told_at = float("-inf")

    def note(self, **fields: Any) -> None:
        """It has happened once more."""
        self._count += 1
        now = trio.current_time()
        if now >= self._told_at + SELDOM_S:
            self._tell(**fields, count=self._count)
            self._count, self._told_at = 0, now
