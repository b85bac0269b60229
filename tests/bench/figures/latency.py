"""One message at a time: until the peer's operator sees it, and until ours sees ``delivered``.

Each is taken from two moments: from the request to send, and from the answer that it is accepted. Of
the two commits of the floor the first comes before that answer.
"""

from __future__ import annotations

import itertools
import time
from typing import Final, NamedTuple

from bench import bare, floors
from bench.figure import SECONDS, Figure, Outcome, Reach, Scale, measurement
from bench.world import BODY, Watching, running_pair, stations

from support.stations import Station

_FLOOR = (
    "durable and signed here, over loopback, verified and durable there: bare, at the same rhythm"
)


class Times(NamedTuple):
    """When one message got how far, in seconds since its request."""

    accepted: float
    shown: float
    delivered: float


def one_by_one(
    alpha: Station, bravo: Station, count: int, prefix: str, precedence: str = "ROUTINE"
) -> list[Times]:
    """Send so many, each when the one before is delivered."""
    times = []
    with Watching(bravo) as there, Watching(alpha) as here, alpha.client() as client:
        for n in range(count):
            one = {"id": f"{prefix}-{n}", "body": BODY, "precedence": precedence}
            began = time.monotonic()
            client.post("send", line="bravo", messages=[one])
            answer = client.take()
            accepted = time.monotonic()
            assert answer["result"]["results"][0]["state"] == "queued"
            shown = there.shown(one["id"])
            delivered = here.delivered(n + 1)
            times.append(Times(accepted - began, shown - began, delivered - began))
            time.sleep(bare.REST_S)
    return times


def percentile(values: list[float], percent: int) -> float:
    """Give the value below which percent of values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


_WAYS: Final = (
    ("shown", "shown to a watching client", 2.5),
    ("delivered", "delivered is seen here", 3.5),
)


def _figures() -> dict[tuple[str, str, int], Figure]:
    made = {}
    for (way, what, most), since, percent in itertools.product(
        _WAYS, ("send", "accepted"), (50, 99)
    ):
        name = f"{way}-p{percent}" if since == "send" else f"accepted-{way}-p{percent}"
        figure = Figure(
            name, f"one message, {since} to {what}, p{percent}", SECONDS, floor_is=_FLOOR
        )
        if percent == 50:
            figure.reach = Reach(f"within {most} x of the floor", at_most=most, of_ratio=True)
        made[way, since, percent] = figure
    return made


@measurement("latency")
def latency(scale: Scale) -> Outcome:
    """Measure p50 and p99 of both ways, from both moments."""
    made = _figures()
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
            for (way, since, percent), figure in made.items():
                seconds = [
                    getattr(one, way) - (one.accepted if since == "accepted" else 0.0)
                    for one in found
                ]
                figure.add(percentile(seconds, percent), floor)
    return Outcome([*made.values(), tight])
