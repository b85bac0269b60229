"""Somebody on the path, without any key: damages bytes, plays recorded ones again, sends junk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.ledger import Violation

from hotline.limits import HANDSHAKE_TIMEOUT_S, UNIT_BYTES

if TYPE_CHECKING:
    from sim.runner import Runner
    from sim.station import Station
    from sim.world import World

_ONE_ANSWER_BYTES = 3 * UNIT_BYTES
"""What a replay beyond the memory of the door may bring: the second unit and the attestation."""


class Attacker:
    """Has no keys, and all the bytes that ever crossed."""

    host = "attacker"

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.stream("attacker")
        self.recorded: list[tuple[Station, int, bytes]] = []

    def saw_first_unit(self, station: Station, unit: bytes) -> None:
        """Record how a connection began, and in which life of the station."""
        self.recorded.append((station, station.life, unit))

    def damage(self, piece: bytes) -> bytes:
        """Change bytes on their way."""
        self.world.mark("bytes were damaged on the way")
        at = self.random.randrange(len(piece))
        how = self.random.random()
        if how < 0.6:
            flipped = piece[at] ^ (1 << self.random.randrange(8))
            return piece[:at] + bytes([flipped]) + piece[at + 1 :]
        if how < 0.8:
            return piece[:at] + self.random.randbytes(self.random.randrange(1, 9)) + piece[at:]
        return piece + piece

    def replay(self) -> None:
        """Play a recorded first unit to the station that it was for."""
        if not self.recorded:
            return
        station, life, unit = self.random.choice(self.recorded)
        if station.alive:
            known = station.life == life
            self._visit(station, unit + self.random.randbytes(9000), 0 if known else 12288)

    def junk(self) -> None:
        """Send what is no first unit."""
        station = self.random.choice(self.world.stations)
        if station.alive:
            self._visit(
                station, self.random.randbytes(self.random.choice([1, 4095, 4096, 9000])), 0
            )

    def _visit(self, station: Station, data: bytes, allowed: int) -> None:
        near, far = self.world.join(self.host, station.name)
        far.spliced = True
        got = 0

        def received(answer: bytes) -> None:
            nonlocal got
            got += len(answer)
            if got > allowed:
                raise Violation(f"{station.name} answered a stranger with {got} bytes")
            self.world.mark("a replay got its one answer")

        near.on_data = received
        self.world.call(station.name, far)
        near.out.put(data)
        self.world.after(HANDSHAKE_TIMEOUT_S + 2, near.close)

    def touched(self, runner: Runner, conn: int) -> bool:
        """Tell whether a connection was not only the peer's."""
        socket = runner.sockets.get(conn)
        return socket is None or socket.end.tampered or socket.end.spliced
