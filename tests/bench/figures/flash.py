"""FLASH while a backlog drains: it must not wait for what is less urgent."""

from __future__ import annotations

import time

from bench import bulk
from bench.figure import SECONDS, Figure, Outcome, Reach, Scale, measurement
from bench.figures.latency import one_by_one, percentile
from bench.world import BODY, HEARTBEAT_S, Watching, stations

from support.stations import Station, start


def during(alpha: Station, bravo: Station, count: int) -> tuple[list[float], bool]:
    """Send FLASHes one after another; seconds until each is shown, and whether bulk still waited."""
    seconds = []
    with Watching(bravo) as there, alpha.client() as client:
        for n in range(count):
            one = {"id": f"flash-{n}", "body": BODY, "precedence": "FLASH"}
            began = time.monotonic()
            client.call("send", line="bravo", messages=[one])
            seconds.append(there.shown(one["id"]) - began)
            time.sleep(0.01)
    return seconds, alpha.status("bravo")["queued"] > 0


@measurement("flash")
def flash(scale: Scale) -> Outcome:
    """Measure p99 idle, and p99 while bulk drains beside it."""
    figure = Figure(
        "flash-in-bulk",
        "a FLASH during a bulk drain, send to shown to a watching client, p99",
        SECONDS,
        Reach("within 3 x of idle p99", at_most=3.0, of_ratio=True),
        "the same on an idle line",
    )
    for run in range(scale.runs):
        with stations() as some:
            alpha, bravo = some.pair(heartbeat_s=HEARTBEAT_S)
            start(alpha, bravo)
            one_by_one(alpha, bravo, min(scale.flashes, 30), "warm", "FLASH")
            idle = [
                one.shown for one in one_by_one(alpha, bravo, scale.flashes, f"idle{run}", "FLASH")
            ]
            for station in (alpha, bravo):
                assert station.stop() == 0
            # So much that it cannot be gone before the last FLASH.
            bulk.queue(alpha, bravo, 2 * scale.backlog)
            start(alpha, bravo)
            busy, waited = during(alpha, bravo, scale.flashes)
        if not waited:
            figure.notes.append("the bulk had drained before the last FLASH")
        figure.add(percentile(busy, 99), percentile(idle, 99))
    return Outcome([figure])
