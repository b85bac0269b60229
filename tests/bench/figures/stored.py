"""Cost that must not grow with what the store holds: a message, a page, a status, a start."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from bench import bulk
from bench.figure import SECONDS, Curve, Figure, Outcome, Reach, Scale, measurement
from bench.figures.throughput import move
from bench.world import HEARTBEAT_S, batch_file, cpu_s, stations

from support.stations import Station, start

_REACH = Reach("within 1.1 x of an empty store", at_most=1.1, of_ratio=True)


def timed(ask: Callable[[], object], times: int = 20) -> float:
    """Give the middle of some times, in seconds."""
    seconds = []
    for _ in range(times):
        began = time.monotonic()
        ask()
        seconds.append(time.monotonic() - began)
    return statistics.median(seconds)


def costs(pair: tuple[Station, Station], scale: Scale) -> dict[str, float]:
    """Measure two stations at rest; they are at rest again afterwards."""
    alpha, bravo = pair
    found: dict[str, float] = {}
    start(*pair)  # and stopped again: what one start leaves in the page cache serves the next
    for station in pair:
        assert station.stop() == 0
    found["start-up"] = timed(lambda: _restarted(bravo), 1)
    start(*pair)
    path = batch_file(alpha, scale.sample)
    before = sum(map(cpu_s, pair))
    found["message"] = move(alpha, "bravo", path, scale.sample) / scale.sample
    found["message-cpu"] = (sum(map(cpu_s, pair)) - before) / scale.sample
    with bravo.client() as client:
        found["inbox"] = timed(lambda: client.call("inbox", limit=100))
        found["status"] = timed(lambda: client.call("status"))
    for station in pair:
        assert station.stop() == 0
    return found


def _restarted(station: Station) -> None:
    station.start()
    assert station.stop() == 0


_WHAT = {
    "message": "one message of a batch",
    "message-cpu": "processor time of one message of a batch",
    "inbox": "an inbox page of 100",
    "status": "status",
    "start-up": "start and stop of the daemon",
}


@measurement("stored")
def stored(scale: Scale) -> Outcome:
    """Measure with an empty store, and with more and more in it."""
    figures = {
        name: Figure(
            f"stored-{name}",
            f"{what}, with {scale.stored} messages in the store",
            SECONDS,
            _REACH,
            "the same with an empty store",
        )
        for name, what in _WHAT.items()
    }
    grows = {
        name: Curve("store", what, "messages stored", "x empty") for name, what in _WHAT.items()
    }
    with stations() as some:
        pair = some.pair(heartbeat_s=HEARTBEAT_S)
        have = 0
        for size in sorted({*scale.grows, scale.stored}):
            bulk.deliver(*pair, max(0, size - have), first=have)
            have = size  # and what the measurement itself will leave
            # An empty store beside each full one: this machine is not the same from minute to minute.
            beside = [
                (costs(some.pair(heartbeat_s=HEARTBEAT_S), scale), costs(pair, scale))
                for _ in range(scale.runs)
            ]
            for name in _WHAT:
                ratios = [full[name] / empty[name] for empty, full in beside]
                grows[name].points.append((size, statistics.median(ratios)))
                if size == scale.stored:
                    for empty, full in beside:
                        figures[name].add(full[name], empty[name])
    return Outcome(list(figures.values()), list(grows.values()))
