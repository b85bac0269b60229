"""When to try again: exponential backoff with full jitter.

Full jitter (a delay drawn from zero up to the exponential bound) spreads the retries of stations that
lost the same network at the same time; equal steps would have them collide again and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.limits import BACKOFF_FIRST_S, BACKOFF_MAX_S

if TYPE_CHECKING:
    from collections.abc import Callable


class Backoff:
    """Delays between attempts; ``attempts`` counts those since the last contact."""

    __slots__ = ("_uniform", "attempts")

    def __init__(self, uniform: Callable[[], float]) -> None:
        """Draw jitter from uniform, which gives floats in 0..1."""
        self._uniform = uniform
        self.attempts = 0

    def failed(self) -> float:
        """Count one failed round and give the seconds to wait before the next."""
        bound = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(self.attempts, 16))
        self.attempts += 1
        return bound * self._uniform()

    def contact(self) -> None:
        """Start over: at the first heartbeat of an agreed session, or when an operator says retry."""
        self.attempts = 0
