"""A network that misbehaves: a process that carries packets between two TUN devices.

    python -m faults.relay PID PID SEED

makes a device in the network namespace of each process and says ``{"ready": true}``. Each line on
stdin sets the weather (the fields of Weather); each answer is a line of counts so far. The same seed
gives the same decisions for the same packets. What a kernel's netem does to packets is done here, and
one thing more: ``tamper`` changes a byte and mends the checksum, so that TCP takes it for good.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

DEVICE: Final = "hl0"

_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_CLONE_NEWNET: Final = 0x40000000
_PACKET_BYTES: Final = 65536
_AT_ONCE: Final = 64
_OVERTAKEN_S: Final = 0.03
"""A packet that is to be overtaken is held so long: longer than the next few take."""

_TCP: Final = 6


@dataclass
class Weather:
    """What happens to packets; shares are of all packets, each way."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    """A byte is changed; the checksum tells."""
    tamper: float = 0.0
    """A byte of TCP's payload is changed, and the checksum mended."""
    delay_s: float = 0.0
    jitter_s: float = 0.0


class Fate:
    """Decides what becomes of each packet."""

    def __init__(self, seed: int) -> None:
        self.weather = Weather()
        self.counts: Counter[str] = Counter()
        self._rng = random.Random(seed)

    def of(self, packet: bytes) -> list[tuple[float, bytes]]:
        """Give what is passed on, each with how much later."""
        weather = self.weather
        self.counts["packets"] += 1
        if self._happens("lost", weather.loss):
            return []
        payload_at = payload_start(packet)
        if payload_at is not None and self._happens("tampered", weather.tamper):
            packet = with_tcp_checksum(self._changed(packet, payload_at))
        elif self._happens("corrupted", weather.corrupt):
            packet = self._changed(packet, payload_at or len(packet) // 2)
        delay_s = weather.delay_s + weather.jitter_s * self._rng.random()
        if self._happens("overtaken", weather.reorder):
            delay_s += _OVERTAKEN_S
        passed = [(delay_s, packet)]
        if self._happens("doubled", weather.duplicate):
            passed.append((delay_s + _OVERTAKEN_S * self._rng.random(), packet))
        return passed

    def _happens(self, what: str, share: float) -> bool:
        happens = share > 0 and self._rng.random() < share
        self.counts[what] += happens
        return happens

    def _changed(self, packet: bytes, start: int) -> bytes:
        changed = bytearray(packet)
        changed[self._rng.randrange(start, len(packet))] ^= 1 << self._rng.randrange(8)
        return bytes(changed)


def payload_start(packet: bytes) -> int | None:
    """Give where the payload of a TCP packet of IPv4 begins; None if it has none."""
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != _TCP:
        return None
    header = (packet[0] & 0x0F) * 4
    start = header + (packet[header + 12] >> 4) * 4
    return start if start < len(packet) else None


def with_tcp_checksum(packet: bytes) -> bytes:
    """Give the packet with the checksum that its TCP segment should have (RFC 9293, section 3.1)."""
    header = (packet[0] & 0x0F) * 4
    segment = bytearray(packet[header:])
    segment[16:18] = b"\0\0"
    pseudo = packet[12:20] + struct.pack("!BBH", 0, _TCP, len(segment))
    data = pseudo + bytes(segment) + b"\0" * (len(segment) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    segment[16:18] = struct.pack("!H", ~total & 0xFFFF)
    return packet[:header] + bytes(segment)


def open_device(pid: int) -> int:
    """Make a TUN device in the network namespace of a process, and give its descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        _enter(libc, there)
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        request = struct.pack("16sH22x", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI)
        fcntl.ioctl(device, _TUNSETIFF, request)
        _enter(libc, home)
    finally:
        os.close(home)
        os.close(there)
    return device


def _enter(libc: Any, namespace: int) -> None:
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Relay:
    """Carries packets between two devices until stdin ends."""

    def __init__(self, near: int, far: int, fate: Fate) -> None:
        self._other = {near: far, far: near}
        self._fate = fate
        self._due: list[tuple[float, int, int, bytes]] = []
        self._sequence = 0

    def run(self) -> None:
        """Work, and answer each line on stdin."""
        commands = sys.stdin.fileno()
        sources = [*self._other, commands]
        _say({"ready": True})
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            ready, _, _ = select.select(sources, [], [], wait_s)
            for source in ready:
                if source != commands:
                    self._take(source)
                elif not self._obey(os.read(commands, _PACKET_BYTES)):
                    return
            self._deliver()

    def _obey(self, said: bytes) -> bool:
        for line in said.splitlines():
            self._fate.weather = Weather(**json.loads(line))
            _say(dict(self._fate.counts))
        return bool(said)

    def _take(self, source: int) -> None:
        now = time.monotonic()
        for _ in range(_AT_ONCE):
            try:
                packet = os.read(source, _PACKET_BYTES)
            except BlockingIOError:
                return
            for delay_s, passed in self._fate.of(packet):
                self._sequence += 1
                due = (now + delay_s, self._sequence, self._other[source], passed)
                heapq.heappush(self._due, due)

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, sink, packet = heapq.heappop(self._due)
            try:
                os.write(sink, packet)
            except OSError:
                self._fate.counts["refused"] += 1


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run between the namespaces of two processes."""
    near, far, seed = (int(one) for one in sys.argv[1:4])
    # What a parent that was killed leaves behind is an endless read of nothing: stdin ends with it.
    assert Path(f"/proc/{near}").exists()
    Relay(open_device(near), open_device(far), Fate(seed)).run()


if __name__ == "__main__":
    main()
