"""Many messages by one ``send --batch``, one way and both ways at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from bench import floors
from bench.figure import A_SECOND, RATIO, Figure, Outcome, Reach, Scale, measurement
from bench.world import (
    LONG_S,
    batch_file,
    cpu_s,
    running_pair,
    send_batch,
    stations,
)

from support.stations import Client, Station

_POLL_S = 0.01

_FLOOR = "bare rows a second: durable in two databases, one signature for 256"


def move(station: Station, line: str, path: Path, count: int) -> float:
    """Send a file by ``send --batch``; seconds from its start until the last receipt is stored."""
    # Asked for, not watched: whoever is on watch is shown every message that comes the other way.
    began = time.monotonic()
    sender = send_batch(station, line, path)
    with station.client() as client:
        while sender.alive or _waiting(client, line):
            time.sleep(_POLL_S)
    passed = time.monotonic() - began
    assert sender.wait(LONG_S) == 0
    status = station.status(line)
    assert status["unacknowledged"] >= count, "less was delivered than was sent"
    return passed


def _waiting(client: Client, line: str) -> bool:
    found = next(one for one in client.call("status")["lines"] if one["name"] == line)
    return bool(found["queued"] or found["in_flight"])


def both(pair: tuple[Station, Station], paths: list[Path], count: int) -> tuple[float, float]:
    """Do so both ways at once; the seconds of each."""
    passed: dict[int, float] = {}

    def one(side: int) -> None:
        passed[side] = move(pair[side], pair[1 - side].name, paths[side], count)

    threads = [threading.Thread(target=one, args=(side,)) for side in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return passed[0], passed[1]


@measurement("throughput")
def throughput(scale: Scale) -> Outcome:
    """Measure the rate one way, and both ways as a share of it."""
    one_way = Figure(
        "throughput",
        f"{scale.messages} messages by one send --batch, until the last receipt is stored",
        A_SECOND,
        Reach("30,000 a second on two cores", at_least=30_000),
        _FLOOR,
    )
    spent = Figure("throughput-cpu", "processor time a message, both daemons", "us")
    processors = Figure(
        "processors", "plain Python in two processes at once, beside one alone", RATIO
    )
    in_sum = Figure(
        "both-ways",
        "both directions at once, in sum, beside one way",
        RATIO,
        Reach("0.7 of one way at least", at_least=0.7),
    )
    fair = Figure(
        "both-ways-fair",
        "both directions at once: the slower beside the faster",
        RATIO,
        Reach("fair: 0.7 at least", at_least=0.7),
    )
    count = scale.messages
    with stations() as some:
        pair = running_pair(some)
        paths = [batch_file(station, count) for station in pair]
        move(pair[0], "bravo", batch_file(pair[0], max(count // 10, 1)), max(count // 10, 1))
        for _ in range(scale.runs):
            floor = floors.rate(count)
            processors.add(floors.both_processors())
            before = sum(map(cpu_s, pair))
            passed = move(pair[0], "bravo", paths[0], count)
            spent.add((sum(map(cpu_s, pair)) - before) / count * 1e6)
            one_way.add(count / passed, floor)
            near, far = both(pair, paths, count)
            in_sum.add(2 * count / max(near, far) / (count / passed))
            fair.add(min(near, far) / max(near, far))
    return Outcome([one_way, spent, processors, in_sum, fair])
