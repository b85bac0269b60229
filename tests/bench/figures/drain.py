"""A backlog after an outage: how soon it begins to move, and how fast."""

from __future__ import annotations

import time

from bench import bulk, floors
from bench.figure import A_SECOND, SECONDS, Figure, Outcome, Reach, Scale, measurement
from bench.world import HEARTBEAT_S, Watching, stations

from hotline.text import parse_utc
from support.processes import until
from support.stations import Stations


def drained(some: Stations, backlog: int) -> tuple[float, float]:
    """Let the peer return to a backlog; seconds to the first delivered, and until all are."""
    alpha, bravo = some.pair(heartbeat_s=HEARTBEAT_S)
    bulk.queue(alpha, bravo, backlog)
    alpha.start()
    with Watching(alpha) as here:
        bravo.launch()
        # By the line's own time: the log is written a moment later, and is asked for now and then.
        [back] = until("bravo is back", lambda: bravo.logged("daemon_started"))
        began = time.monotonic() - (time.time() - parse_utc(back["timestamp"]) / 1e9)
        first = here.delivered(1)
        last = here.delivered(backlog)
    for station in (alpha, bravo):
        assert station.stop() == 0
    return first - began, last - began


@measurement("drain")
def drain(scale: Scale) -> Outcome:
    """Measure the first message and the rate."""
    first = Figure(
        "drain-first",
        "from the peer's return to the first delivered message of the backlog",
        SECONDS,
        Reach("within 1 s", at_most=1.0),
    )
    rate = Figure(
        "drain",
        f"drain of {scale.backlog} messages after an outage",
        A_SECOND,
        Reach("30,000 a second on two cores", at_least=30_000),
        "bare rows a second: durable in two databases, one signature for 256",
    )
    for _ in range(scale.runs):
        with stations() as some:
            floor = floors.rate(min(scale.backlog, 50_000))
            soon, all_s = drained(some, scale.backlog)
        first.add(soon)
        rate.add(scale.backlog / all_s, floor)
    return Outcome([first, rate])
