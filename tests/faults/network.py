"""Two network namespaces and what lies between them: a cable with a firewall, or the relay.

A namespace lives as long as a process in it, and every process started here is killed by the kernel
when this program dies, however it dies: nothing is left on the machine.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from faults.relay import DEVICE, Weather

from support.processes import until

ADDRESSES: Final = ("10.63.0.1", "10.63.0.2")

WITH_US: Final = ("setpriv", "--pdeathsig", "KILL")
"""The kernel kills what is started so when the thread that started it is gone."""

Command = list[str]


class NetworkFaultError(Exception):
    """A command that should have made the network, or its fault, failed."""


def do(command: Command, *, text: str = "") -> str:
    """Run a command that must succeed, and give its output."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NetworkFaultError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    """A network namespace with nothing in it but a process that holds it."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen([*WITH_US, "unshare", "--net", "sleep", "infinity"])
        self.pid = self._holder.pid
        ours, theirs = (Path(f"/proc/{one}/ns/net") for one in ("self", self.pid))
        until("a namespace", lambda: theirs.readlink() != ours.readlink())
        self.do("ip", "link", "set", "lo", "up")

    def enter(self, *command: str) -> Command:
        """Give the command that does command inside."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", *command]

    def do(self, *command: str, text: str = "") -> str:
        """Do a command inside."""
        return do(self.enter(*command), text=text)

    def close(self) -> None:
        """Let it go: the kernel takes it apart when nobody is left inside."""
        self._holder.send_signal(signal.SIGKILL)
        self._holder.wait()


class Network:
    """Two namespaces joined by a pair of virtual network cards."""

    def __init__(self) -> None:
        self.sides: list[Namespace] = []
        try:
            for _ in ADDRESSES:
                self.sides.append(Namespace())
            self._join()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _join(self) -> None:
        near, far = self.sides
        ends = f"type veth peer name {DEVICE} netns {far.pid}"
        near.do("ip", "link", "add", DEVICE, *ends.split())
        for side, address in zip(self.sides, ADDRESSES, strict=True):
            side.do("ip", "address", "add", f"{address}/30", "dev", DEVICE)
            side.do("ip", "link", "set", DEVICE, "up")

    def close(self) -> None:
        """Take everything down."""
        for side in self.sides:
            side.close()

    # --- faults ---

    def cut(self, *, to_alpha: bool = True, to_bravo: bool = True) -> None:
        """Drop all packets to alpha, or to bravo, or both, where they come in; they are counted.

        Not where they leave: the sender's kernel would notice, which no cut cable lets it.
        """
        rule = f"chain in {{ type filter hook input priority 0; iifname {DEVICE} counter drop; }};"
        for side, dropped in zip(self.sides, (to_alpha, to_bravo), strict=True):
            if dropped:
                side.do("nft", "-f", "-", text=f"table inet fault {{ {rule} }}\n")

    def heal(self) -> int:
        """Pass everything on again; gives how many packets were dropped."""
        dropped = 0
        for side in self.sides:
            found: dict[str, Any] = json.loads(side.do("nft", "-j", "list", "ruleset"))
            rules = [one["rule"]["expr"] for one in found["nftables"] if "rule" in one]
            dropped += sum(
                int(part["counter"]["packets"])
                for expression in rules
                for part in expression
                if "counter" in part
            )
            side.do("nft", "flush", "ruleset")
        return dropped

    def limit(self, rate: str, queue: str) -> None:
        """Let no more than rate through, each way, with so much waiting in the modem."""
        for side in self.sides:
            shape = f"tbf rate {rate} burst 1600 latency {queue}"
            side.do("tc", "qdisc", "add", "dev", DEVICE, "root", *shape.split())

    def unlimit(self) -> None:
        """Let everything through again."""
        for side in self.sides:
            side.do("tc", "qdisc", "del", "dev", DEVICE, "root")

    def carried_bytes(self) -> int:
        """Give how much the limited cards have sent so far."""
        total = 0
        for side in self.sides:
            (shaper,) = json.loads(side.do("tc", "-s", "-j", "qdisc", "show", "dev", DEVICE))
            total += int(shaper["bytes"])
        return total


class WeatherNetwork(Network):
    """Two namespaces joined by the relay."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._relay: subprocess.Popen[str] | None = None
        super().__init__()

    def _join(self) -> None:
        near, far = self.sides
        arguments = [str(near.pid), str(far.pid), str(self._seed)]
        self._relay = subprocess.Popen(
            [*WITH_US, sys.executable, "-m", "faults.relay", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._heard()
        for side, here, there in zip(self.sides, ADDRESSES, reversed(ADDRESSES), strict=True):
            side.do("ip", "address", "add", here, "peer", there, "dev", DEVICE)
            side.do("ip", "link", "set", DEVICE, "up")

    def _heard(self) -> dict[str, int]:
        assert self._relay is not None
        assert self._relay.stdout is not None
        line = self._relay.stdout.readline()
        if not line:
            raise NetworkFaultError("the relay has ended")
        heard: dict[str, int] = json.loads(line)
        return heard

    def weather(self, weather: Weather | None = None) -> dict[str, int]:
        """Make it so (fair, if nothing is given); gives what has been done to packets so far."""
        assert self._relay is not None
        assert self._relay.stdin is not None
        self._relay.stdin.write(json.dumps(asdict(weather or Weather())) + "\n")
        self._relay.stdin.flush()
        return self._heard()

    def close(self) -> None:
        """Take everything down."""
        if self._relay is not None:
            self._relay.kill()
            self._relay.communicate()
        super().close()
