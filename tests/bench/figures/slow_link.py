"""FLASH on a link of 64 kbit/s that carries a long ROUTINE message; needs root for the link."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.figure import SECONDS, Figure, Outcome, Reach, Scale, measurement
from bench.world import HEARTBEAT_S, Watching
from faults.needs import missing
from faults.network import ADDRESSES, Network
from faults.station import FaultStation

from support.processes import until
from support.stations import start

_QUEUE = "1s"
"""What the modem holds."""


@measurement("slow-link")
def slow_link(scale: Scale) -> Outcome:
    """Measure a few FLASHes, one after another, each behind the same long message."""
    figure = Figure(
        "flash-on-64k",
        f"a FLASH at 64 kbit/s behind a ROUTINE message of {scale.slow_bytes // 1024} KiB,"
        " send to shown",
        SECONDS,
        Reach("within 2 s", at_most=2.0),
        "one record at 64 kbit/s",
    )
    if lacking := missing(["tc"]):
        figure.notes.append(f"not measured: {'; '.join(lacking)}")
        return Outcome([figure])
    with Network() as network, tempfile.TemporaryDirectory(prefix="hl") as folder:
        alpha, bravo = (
            FaultStation(Path(folder) / name, name, side, address)
            for name, side, address in zip(
                ("alpha", "bravo"), network.sides, ADDRESSES, strict=True
            )
        )
        try:
            alpha.pin(bravo, heartbeat_s=HEARTBEAT_S)
            bravo.pin(alpha, heartbeat_s=HEARTBEAT_S)
            network.limit("64kbit", _QUEUE)
            start(alpha, bravo)
            before = network.carried_bytes()
            bulk = {"id": "bulk", "body": "b" * scale.slow_bytes, "precedence": "ROUTINE"}
            alpha.send("bravo", bulk)
            until(
                "it is under way",
                lambda: network.carried_bytes() > before + min(16 * 1024, scale.slow_bytes // 2),
            )
            with Watching(bravo) as there, alpha.client() as client:
                for n in range(scale.runs):
                    one = {"id": f"flash-{n}", "body": "now", "precedence": "FLASH"}
                    began = time.monotonic()
                    client.call("send", line="bravo", messages=[one])
                    figure.add(there.shown(one["id"]) - began, 4096 * 8 / 64_000)
                    time.sleep(1.0)
            (left,) = alpha.call("show", id="bulk")["messages"]
            if left["state"] == "delivered":
                figure.notes.append("the long message had arrived before the last FLASH")
        finally:
            for station in (alpha, bravo):
                station.clean_up()
    return Outcome([figure])
