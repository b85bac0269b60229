"""What a line costs while nothing is said on it."""

from __future__ import annotations

import time

from bench.figure import SHARE, Figure, Outcome, Reach, Scale, measurement
from bench.world import cpu_s, running_pair, stations


@measurement("idle")
def idle(scale: Scale) -> Outcome:
    """Measure both daemons of an idle line."""
    figure = Figure(
        "idle",
        "processor time of an idle daemon with one line",
        SHARE,
        Reach("under 0.5 % of a core", at_most=0.005),
    )
    with stations() as some:
        pair = running_pair(some)
        time.sleep(min(1.0, scale.idle_s))
        before, began = [cpu_s(station) for station in pair], time.monotonic()
        time.sleep(scale.idle_s)
        passed = time.monotonic() - began
        for station, spent in zip(pair, before, strict=True):
            figure.add((cpu_s(station) - spent) / passed)
    return Outcome([figure])
