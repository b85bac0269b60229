"""One message at a time: until the peer's operator sees it, and until ours sees ``delivered``."""

from __future__ import annotations

import itertools
import statistics
import time

from bench import bare, floors
from bench.figure import SECONDS, Figure, Outcome, Reach, Scale, measurement
from bench.world import BODY, Watching, running_pair, stations

from support.stations import Station

_FLOOR = (
    "durable and signed here, over loopback, verified and durable there: bare, at the same rhythm"
)


def one_by_one(
    alpha: Station, bravo: Station, count: int, prefix: str, precedence: str = "ROUTINE"
) -> tuple[list[float], list[float]]:
    """Send so many, each when the one before is delivered; seconds to shown and to delivered."""
    shown, delivered = [], []
    with Watching(bravo) as there, Watching(alpha) as here, alpha.client() as client:
        for n in range(count):
            one = {"id": f"{prefix}-{n}", "body": BODY, "precedence": precedence}
            began = time.monotonic()
            client.post("send", line="bravo", messages=[one])
            shown.append(there.shown(one["id"]) - began)
            delivered.append(here.delivered(n + 1) - began)
            answer = client.take()
            assert answer["result"]["results"][0]["state"] == "queued"
            time.sleep(bare.REST_S)
    return shown, delivered


def percentile(values: list[float], percent: int) -> float:
    """Give the value below which percent of values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


@measurement("latency")
def latency(scale: Scale) -> Outcome:
    """Measure p50 and p99 of both ways."""
    made = {
        (way, percent): Figure(
            f"{way}-p{percent}",
            f"one message, send to {what}, p{percent}",
            SECONDS,
            floor_is=_FLOOR,
        )
        for (way, what), percent in itertools.product(
            (("shown", "shown to a watching client"), ("delivered", "delivered is seen here")),
            (50, 99),
        )
    }
    made["shown", 50].reach = Reach("within 2.5 x of the floor", at_most=2.5, of_ratio=True)
    made["delivered", 50].reach = Reach("within 3.5 x of the floor", at_most=3.5, of_ratio=True)
    tight = Figure(
        "message-floor-tight",
        "two durable commits, sign, verify, one way over loopback: bare, each in a tight loop",
        SECONDS,
    )
    with stations() as some:
        alpha, bravo = running_pair(some)
        one_by_one(alpha, bravo, min(scale.latencies, 50), "warm")
        for run in range(scale.runs):
            floor = bare.one_at_a_time(min(scale.latencies, 100))
            tight.add(floors.measure().message_s)
            found = one_by_one(alpha, bravo, scale.latencies, f"m{run}")
            for way, seconds in zip(("shown", "delivered"), found, strict=True):
                made[way, 50].add(statistics.median(seconds), floor)
                made[way, 99].add(percentile(seconds, 99), floor)
    return Outcome([*made.values(), tight])
