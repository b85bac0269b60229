"""From the first packet of a session to the first delivered entry."""

from __future__ import annotations

import time

from bench.figure import SECONDS, Figure, Outcome, Reach, Scale, measurement
from bench.world import BODY, HEARTBEAT_S, Watching, stations

from support.stations import message, start


@measurement("handshake")
def handshake(scale: Scale) -> Outcome:
    """Measure from ``retry``, with the peer listening and a message waiting, to its receipt."""
    figure = Figure(
        "handshake",
        "connect, handshake, attestations, to the first delivered entry",
        SECONDS,
        Reach("under 15 ms on loopback", at_most=0.015),
    )
    with stations() as some:
        alpha, bravo = some.pair(heartbeat_s=HEARTBEAT_S)
        bravo.pin(alpha, calls=False, heartbeat_s=HEARTBEAT_S)
        start(alpha, bravo)
        for run in range(2 * scale.runs):
            assert bravo.stop() == 0
            alpha.when("bravo", state="down")
            alpha.send("bravo", message(f"m-{run}", BODY))
            bravo.start()
            time.sleep(0.2)
            with Watching(alpha) as here, alpha.client() as client:
                if alpha.status("bravo")["queued"] == 0:
                    continue  # its own next attempt came first
                began = time.monotonic()
                client.post("retry", line="bravo")
                figure.add(here.delivered(1) - began)
    if not figure.runs:
        figure.notes.append("not measured: every attempt of the line's own came first")
    return Outcome([figure])
