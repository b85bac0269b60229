"""Memory that must not grow: with a long queue, and while much is moved."""

from __future__ import annotations

import time

from bench import bulk
from bench.figure import KIB, Curve, Figure, Outcome, Reach, Scale, measurement
from bench.world import (
    BODY,
    HEARTBEAT_S,
    LONG_S,
    forget_peak,
    memory_kib,
    running_pair,
    stations,
)

from hotline.store.connection import WRITER_CACHE_BYTES
from support.stations import Station, message

_MESSAGE_BYTES = 512 * 1024
_REACH = Reach("within 1.2 x of an idle one", at_most=1.2, of_ratio=True)


def settled(station: Station) -> int:
    """Give what a daemon holds after it was asked for what operators ask."""
    for _ in range(3):
        station.call("status")
        station.call("outbox", limit=100)
        station.call("inbox", limit=100)
    return memory_kib(station)


@measurement("memory-queued")
def queued(scale: Scale) -> Outcome:
    """Measure daemons with longer and longer queues, and how much later a send is answered."""
    figure = Figure(
        "memory-queued",
        f"memory of a daemon with {scale.queued} queued messages",
        KIB,
        _REACH,
        "the same daemon with an empty queue",
    )
    grows = Curve("queue", "memory of the daemon", "messages queued", "KiB")
    answers = Curve("queue-send", "one send, p50", "messages queued", "ms")
    with stations() as some:
        alpha, bravo = some.pair(heartbeat_s=HEARTBEAT_S)
        alpha.start()
        idle = settled(alpha)
        assert alpha.stop() == 0
        have = 0
        for length in sorted({*scale.grows, scale.queued}):
            bulk.queue(alpha, bravo, length - have, first=have)
            have = length
            alpha.pin(bravo, heartbeat_s=HEARTBEAT_S, queue_messages=length + 10_000)
            alpha.start()
            grows.points.append((length, settled(alpha)))
            answers.points.append((length, 1000 * _answered(alpha, length)))
            assert alpha.stop() == 0
            if length == scale.queued:
                figure.add(grows.points[-1][1], idle)
    return Outcome([figure], [grows, answers])


def _answered(station: Station, tag: int) -> float:
    """Give the middle of some sends, in seconds."""
    seconds = []
    with station.client() as client:
        for n in range(30):
            began = time.monotonic()
            client.call("send", line="bravo", messages=[message(f"late-{tag}-{n}", BODY)])
            seconds.append(time.monotonic() - began)
    return sorted(seconds)[len(seconds) // 2]


@measurement("memory-moving")
def moving(scale: Scale) -> Outcome:
    """Measure the peak of both daemons while long messages pass."""
    figures = [
        Figure(
            f"memory-{word}",
            f"peak memory of a daemon {word} {scale.moved_bytes // 2**20} MiB",
            KIB,
            _REACH,
            "the same daemon, idle",
        )
        for word in ("sending", "receiving")
    ]
    size = min(_MESSAGE_BYTES, scale.moved_bytes)
    with stations() as some:
        pair = running_pair(some)
        fresh = [settled(station) for station in pair]
        # Idle is a daemon that has worked before: its caches are as large as they become.
        _move(pair[0], max(1, 2 * WRITER_CACHE_BYTES // size), size, "warm")
        idle = [settled(station) for station in pair]
        for station in pair:
            forget_peak(station)
        _move(pair[0], max(1, scale.moved_bytes // size), size, "bulk")
        for figure, station, before, at_first in zip(figures, pair, idle, fresh, strict=True):
            figure.add(memory_kib(station, "VmHWM"), before)
            figure.notes.append(f"it had {at_first // 1024} MiB before its first message")
    return Outcome(figures)


def _move(alpha: Station, count: int, size: int, prefix: str) -> None:
    """Send long messages, a few ahead of what has arrived, and wait for the last receipt."""
    body = "m" * size
    with alpha.client() as client:
        client.sock.settimeout(LONG_S)
        for n in range(count):
            client.call("send", line="bravo", messages=[message(f"{prefix}-{n}", body)])
            if n >= 4:
                client.call("wait", line="bravo", ids=[f"{prefix}-{n - 4}"], state="delivered")
        client.call("wait", line="bravo", ids=[f"{prefix}-{count - 1}"], state="delivered")
