"""How a message's cost grows with its size."""

from __future__ import annotations

from bench.figure import Curve, Outcome, Scale, measurement
from bench.figures.throughput import move
from bench.world import batch_file, cpu_s, running_pair, stations

_SIZES = (16, 64, 256, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576)


@measurement("sizes")
def sizes(scale: Scale) -> Outcome:
    """Measure rate and processor time for each size; no figure of its own, two plots."""
    rate = Curve("size-rate", "send --batch to last receipt", "bytes in a message", "MB/s")
    spent = Curve("size-cpu", "both daemons", "bytes in a message", "us of processor a message")
    with stations() as some:
        pair = running_pair(some)
        for size in _SIZES if scale.name != "tiny" else (16, 10_000):
            count = max(4, min(scale.sample, 32 * scale.sample * 64 // (size + 2000)))
            path = batch_file(pair[0], count, "s" * size)
            before = sum(map(cpu_s, pair))
            passed = move(pair[0], "bravo", path, count)
            spent.points.append((size, (sum(map(cpu_s, pair)) - before) / count * 1e6))
            rate.points.append((size, count * size / passed / 1e6))
    return Outcome([], [rate, spent])
