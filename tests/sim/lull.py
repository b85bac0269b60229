"""A long time in the midst of a world in which nobody does anything and nothing new goes wrong.

Only heartbeats pass, for minutes or for a day: sessions are renewed and rekeyed by the clock alone,
faults end by themselves, and everything that was accepted must arrive without anybody's help.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from sim.ledger import Violation
from sim.settling import patience_s, unsettled

if TYPE_CHECKING:
    from sim.world import World

DAY_S: Final = 86_400.0
_LONGEST_FAULT: Final = 20
"""Heartbeats after which the last fault has ended by itself."""


class Lull:
    """One world's lull, if it has one; nobody begins anything from ``begins`` to ``ends``."""

    def __init__(self, world: World) -> None:
        self._world = world
        options = world.options
        self.lasts_s = options.lull_s
        self.begins = options.chaos_s * Random(f"lull {options.seed}").uniform(0.2, 0.8)
        self.ends = self.begins + self.lasts_s
        self._rested = False
        self._patience_s = 0.0

    @property
    def under_way(self) -> bool:
        """Tell whether it is now."""
        return self.begins <= self._world.now < self.ends

    def over(self, now: float, delay_s: float) -> float:
        """Give when somebody acts who would after a while: a lull on the way does not count."""
        when = now + delay_s
        if when < self.begins or now >= self.ends:
            return when
        return when + self.ends - max(now, self.begins)

    def looks(self, count: int) -> list[float]:
        """Give the times at which the checker looks while there is a lull, the end last."""
        if not self.lasts_s:
            return []
        return [self.begins + self.lasts_s * number / count for number in range(count + 1)]

    def look(self) -> None:
        """See whether all has come to rest; raises Violation if the lull ends without."""
        world = self._world
        if not self.begins <= world.now <= self.ends or world.options.trouble:
            return
        if world.now == self.begins:
            longest_s = _LONGEST_FAULT * max(world.options.heartbeat_s.values())
            self._patience_s = longest_s + patience_s(world)
        missing = "" if self._rested else unsettled(world)
        # One commit may still meet a fault that has lain in wait: somewhere in between is enough.
        if world.now > self.begins:
            self._rested = not missing
        if world.now < self.ends:
            return
        if missing and self.lasts_s > self._patience_s:
            raise Violation(f"nobody helped, and it did not settle by itself: {missing}")
        if not missing:
            world.mark("all came to rest by itself")
        if self.lasts_s >= DAY_S:
            world.mark("a day of heartbeats alone")
