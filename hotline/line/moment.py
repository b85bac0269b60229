"""Time as an argument."""

from __future__ import annotations

from typing import NamedTuple


class Moment(NamedTuple):
    """One instant by both clocks: ``now`` decides, ``wall_ns`` is only shown, signed and expired by."""

    now: float
    """Monotonic seconds: the only time that timers use, so a stepped wall clock changes none."""

    wall_ns: int
    """UNIX nanoseconds by the wall clock."""
