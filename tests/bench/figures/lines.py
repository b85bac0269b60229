"""Many lines in one daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.figure import KIB, SHARE, Curve, Figure, Outcome, Reach, Scale, measurement
from bench.swarm import make
from bench.world import HEARTBEAT_S, LONG_S, cpu_s, memory_kib, stations

from support.processes import until
from support.stations import Station, Stations

_MEMORY: Final = "/dev/shm"  # noqa: S108 - a folder of our own is made in it


def hub_of(some: Stations, folder: Path, names: list[str]) -> Station:
    """Give a hub with a line to each of names, which call it."""
    hub = some.make("alpha")
    for name in names:
        shutil.copyfile(folder / name / "card", hub.folder / f"{name}.card")
        hub.lines[name] = {
            "name": name,
            "card": f"{name}.card",
            "addresses": [],
            "heartbeat_s": HEARTBEAT_S,
        }
    hub.write()
    return hub


def measured(count: int, idle_s: float) -> tuple[float, int]:
    """Give the share of a core and the KiB of a hub with so many lines, all of them up."""
    names = [f"p{number:04}" for number in range(count)]
    # The peers' disks are none of the hub's business.
    room = _MEMORY if Path(_MEMORY).is_dir() else None
    with stations() as some, tempfile.TemporaryDirectory(prefix="hl", dir=room) as home:
        folder = Path(home)
        for name in names:
            make(folder, name)
        hub = hub_of(some, folder, names)
        hub.start()
        words = [str(hub.card), str(hub.port), str(folder), *names]
        swarm = subprocess.Popen(
            [sys.executable, "-m", "bench.swarm", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ,
        )
        try:
            until("all lines are up", lambda: _all_up(hub), LONG_S)
            time.sleep(min(HEARTBEAT_S, idle_s))
            before, began = cpu_s(hub), time.monotonic()
            time.sleep(idle_s)
            share = (cpu_s(hub) - before) / (time.monotonic() - began)
            assert _all_up(hub), "a line went down for want of time"
            return share, memory_kib(hub)
        finally:
            swarm.kill()
            swarm.communicate()


def _all_up(hub: Station) -> bool:
    time.sleep(0.5)
    return all(line["state"] == "up" for line in hub.call("status")["lines"])


@measurement("lines")
def lines(scale: Scale) -> Outcome:
    """Measure a hub with one line, with more, and with as many as are asked for."""
    share = Figure(
        "lines-cpu",
        f"{scale.lines} idle lines in one daemon, 5 s heartbeats",
        SHARE,
        Reach("under 25 % of a core", at_most=0.25),
    )
    memory = Figure(
        "lines-memory",
        f"memory a line, {scale.lines} lines in one daemon",
        KIB,
        Reach("under 150 KiB a line", at_most=150.0),
    )
    cpu = Curve("lines-cpu", "an idle daemon", "lines", "% of a core")
    size = Curve("lines-memory", "an idle daemon", "lines", "KiB")
    for count in sorted({1, *(n for n in (10, 100, 300) if n < scale.lines), scale.lines}):
        of_core, kib = measured(count, scale.idle_s)
        cpu.points.append((count, 100 * of_core))
        size.points.append((count, kib))
    share.add(cpu.points[-1][1] / 100)
    (one, alone), (many, together) = size.points[0], size.points[-1]
    memory.add((together - alone) / (many - one))
    return Outcome([share, memory], [cpu, size])
