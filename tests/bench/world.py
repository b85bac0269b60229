"""Two stations to be measured, and what the kernel says of their daemons."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from support.processes import Running
from support.stations import Client, Station, Stations, start

HEARTBEAT_S: Final = 5.0
"""The default: what is measured is what an operator runs."""

LONG_S: Final = 900.0
"""A bound on any one measurement."""

BODY: Final = "0123456789abcdef" * 32
"""512 bytes."""


@contextmanager
def stations() -> Iterator[Stations]:
    """Give a maker of stations; unlike in a test, what their daemons logged is not shown."""
    made = Stations()
    try:
        yield made
    finally:
        made.close()


def running_pair(made: Stations) -> tuple[Station, Station]:
    """Give alpha and bravo with a line that is up."""
    alpha, bravo = made.pair(heartbeat_s=HEARTBEAT_S)
    start(alpha, bravo)
    return alpha, bravo


def batch_file(station: Station, count: int, body: str = BODY) -> Path:
    """Write a file for ``send --batch``."""
    path = station.folder / f"{count}-{len(body)}.ndjson"
    path.write_text(json.dumps({"body": body}) + "\n")
    line = path.read_text()
    with path.open("w") as file:
        for _ in range(count):
            file.write(line)
    return path


class Watching:
    """A client on watch: takes events until one is what is waited for."""

    def __init__(self, station: Station) -> None:
        self.client: Client = station.client()
        self.client.sock.settimeout(LONG_S)
        self.client.call("watch")
        self._delivered = 0

    def event(self) -> dict[str, Any]:
        """Give the next event."""
        while "method" not in (one := self.client.take()):
            continue
        params: dict[str, Any] = one["params"]
        return params

    def shown(self, identifier: str) -> float:
        """Wait until a message is shown, and give when (monotonic)."""
        while True:
            event = self.event()
            if event["event"] == "message" and event["message"]["id"] == identifier:
                return time.monotonic()

    def delivered(self, messages: int) -> float:
        """Wait until receipts came for so many messages since the watch began; gives when."""
        while self._delivered < messages:
            event = self.event()
            if event["event"] == "delivered":
                self._delivered += event["messages"]
        return time.monotonic()

    def __enter__(self) -> Watching:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()


def send_batch(station: Station, line: str, path: Path) -> Running:
    """Begin what an operator does."""
    return station.begin("send", line, "--batch", path)


def cpu_s(station: Station) -> float:
    """Give the processor time that a daemon has used, all threads, to the nanosecond."""
    tasks = Path(f"/proc/{station.running.process.pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def memory_kib(station: Station, field: str = "VmRSS") -> int:
    """Give a daemon's memory: what is resident now, or its peak (VmHWM)."""
    status = Path(f"/proc/{station.running.process.pid}/status").read_text()
    return next(int(row.split()[1]) for row in status.splitlines() if row.startswith(f"{field}:"))


def forget_peak(station: Station) -> None:
    """Let the peak begin anew from what is resident now (proc(5), clear_refs).

    With a daemon only root may do that: to others it is the peak since the start, the same or more.
    """
    with contextlib.suppress(PermissionError):
        Path(f"/proc/{station.running.process.pid}/clear_refs").write_text("5")
