"""Two ends of one session in memory, and a middle that may do what it likes to the bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hotline.errors import RemoteError
from hotline.limits import MIB, UNIT_BYTES
from hotline.line.pairing import Pairing
from hotline.line.session import Session
from hotline.wire.frames import Attest
from support.line_world import EPHEMERALS, identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.wire.frames import Frame


def pairing(own: str, peer: str, secret: bytes = b"") -> Pairing:
    """Give one station's side of a line."""
    keys, card = identity(own)
    return Pairing(keys, card, identity(peer)[1], secret)


@dataclass
class Ends:
    """A caller and who is called, every unit that crossed, and every frame but the attestations."""

    caller: Session
    called: Session
    frames: dict[str, list[Frame]] = field(default_factory=lambda: {"caller": [], "called": []})
    units: dict[str, list[bytes]] = field(default_factory=lambda: {"caller": [], "called": []})

    @classmethod
    def make(cls, caller: Pairing | None = None, called: Pairing | None = None) -> Ends:
        """Stand before the first unit; north calls south unless told otherwise."""
        return cls(
            Session(caller or pairing("north", "south"), EPHEMERALS, initiator=True),
            Session(called or pairing("south", "north"), EPHEMERALS, initiator=False),
        )

    def session(self, name: str) -> Session:
        """Give one end."""
        return self.caller if name == "caller" else self.called

    def carry(self, change: Callable[[str, int, bytes], bytes] | None = None) -> None:
        """Carry units both ways until nothing moves.

        change(sender, its unit's number, unit) gives what arrives instead; raises RemoteError as the
        receiver does.
        """
        moved = True
        while moved:
            moved = False
            for sender, receiver in (("caller", "called"), ("called", "caller")):
                for unit in self.pull(sender):
                    moved = True
                    number = len(self.units[sender])
                    self.units[sender].append(unit)
                    data = unit if change is None else change(sender, number, unit)
                    for frame in self.session(receiver).receive(data):
                        if not isinstance(frame, Attest):
                            self.frames[receiver].append(frame)

    def pull(self, sender: str) -> list[bytes]:
        """Take what an end has to send, in units."""
        data = b""
        while piece := self.session(sender).pull(MIB):
            data += piece
        assert len(data) % UNIT_BYTES == 0
        return [data[at : at + UNIT_BYTES] for at in range(0, len(data), UNIT_BYTES)]

    def opened(self) -> Ends:
        """Carry until both are open."""
        self.carry()
        assert self.caller.is_open
        assert self.called.is_open
        return self

    def refused(self, change: Callable[[str, int, bytes], bytes] | None = None) -> RemoteError:
        """Carry, and give the error that one end raised."""
        try:
            self.carry(change)
        except RemoteError as error:
            return error
        raise AssertionError("nothing was refused")
