"""Lines of the log about what others may cause as often as they like: few, and with a count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL_S: Final = 1.0
"""Between two lines of the log about what others may cause as often as they like."""


class RateLimit:
    """Tells of what happens often, once in INTERVAL_S at most, with how many there were since."""

    def __init__(self, tell: Callable[..., object]) -> None:
        """Tell takes the last one's fields, and ``count``; ``run`` calls it."""
        self._tell = tell
        self._count = 0
        self._fields: dict[str, Any] = {}
        self._noted = trio.Event()

    def note(self, **fields: Any) -> None:
        """It has happened once more."""
        self._count += 1
        self._fields = fields
        self._noted.set()

    async def run(self) -> None:
        """Tell the first at once, and what came meanwhile when INTERVAL_S is over, or at the end."""
        try:
            while True:
                await self._noted.wait()
                self._tell_of_all()
                await trio.sleep(INTERVAL_S)
        finally:
            if self._count:
                self._tell_of_all()

    def _tell_of_all(self) -> None:
        count, self._count, self._noted = self._count, 0, trio.Event()
        self._tell(**self._fields, count=count)
