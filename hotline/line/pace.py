"""How fast a line delivers just now: for operators who wait for a backlog to drain."""

from __future__ import annotations

from collections import deque
from typing import Final

_LOOKS_BACK_S: Final = 10.0
"""Long enough that one slow commit does not jump, short enough to show that a line has slowed."""

_MARK_S: Final = 0.5
"""Deliveries within this are one mark, so that a busy line keeps some twenty of them."""


class Pace:
    """Messages delivered in the last seconds."""

    __slots__ = ("_began", "_marks")

    def __init__(self) -> None:
        """Begin with nothing delivered."""
        self._marks: deque[tuple[float, int]] = deque()
        self._began = 0.0

    def delivered(self, messages: int, now: float) -> None:
        """Note that so many more messages are delivered."""
        self._forget(now)
        if not self._marks:
            self._began = now
        if self._marks and now - self._marks[-1][0] < _MARK_S:
            at, before = self._marks.pop()
            self._marks.append((at, before + messages))
        elif messages:
            self._marks.append((now, messages))

    def a_second(self, now: float) -> float | None:
        """Give messages delivered a second; None if none were, or too few to tell."""
        self._forget(now)
        passed = min(now - self._began, _LOOKS_BACK_S)
        if not self._marks or passed < _MARK_S:
            return None
        return sum(messages for _, messages in self._marks) / passed

    def _forget(self, now: float) -> None:
        while self._marks and self._marks[0][0] < now - _LOOKS_BACK_S:
            self._marks.popleft()
