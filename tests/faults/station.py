"""A station whose daemon runs in a network namespace, and under a tracer or a false clock if wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from faults.network import WITH_US, Namespace

from support.processes import ROOT, Running
from support.stations import Station

PORT: Final = 1963

HEARTBEAT_S: Final = 0.5
"""A tenth of the default: the scenarios take a tenth of the time; every bound scales with it."""


class Daemon(Running):
    """A daemon that the kernel ends with us."""

    def __init__(self, command: list[str], stderr: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if "HOTLINE" not in name}
        ours = {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "NO_COLOR": "1"}
        with stderr.open("ab") as sink:
            self.process = subprocess.Popen(
                [*WITH_US, *command],
                env=kept | ours,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=sink,
            )


class FaultStation(Station):
    """A station at an address of its own; ``prefix`` is what its daemon is started under."""

    def __init__(self, folder: Path, name: str, namespace: Namespace, ip: str) -> None:
        self.namespace = namespace
        self.ip = ip
        self.prefix: list[str] = []
        super().__init__(folder, name, PORT)

    @property
    def address(self) -> str:
        """Where this station listens."""
        return f"{self.ip}:{self.port}"

    @property
    def pid(self) -> int:
        """The daemon's process: every prefix becomes the daemon, or leaves that place to it."""
        return self.running.process.pid

    def launch(self) -> None:
        """Start the daemon without waiting."""
        command = [*self.prefix, sys.executable, "-m", "hotline", "--config", str(self.path), "run"]
        self.daemon = Daemon(self.namespace.enter(*command), self.stderr)
