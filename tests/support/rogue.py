"""A peer that holds the right keys and keeps no rule: its end of a session, spoken by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hotline import limits
from hotline.line.pairing import Pairing
from hotline.line.session import Session
from hotline.model import Position
from hotline.wire import entries, frames, heads
from support.line_world import EPHEMERALS, End, identity

if TYPE_CHECKING:
    from support.line_world import LineWorld, Station

SOON_S: Final = 0.1
"""Longer than the disk takes for anything here, shorter than any timer of a line."""

STUCK_S: Final = 2.0
"""A commit that takes so long; no line gives up for it."""


class Rogue(End):
    """Its own end of a connection to a station's line, spoken by hand; ``got`` is every frame."""

    def __init__(self, world: LineWorld, victim: Station) -> None:
        super().__init__(world, victim, None)
        keys, card = identity(world.other(victim).name)
        self.pairing = Pairing(keys, card, identity(victim.name)[1])
        self.own = Position(0, self.pairing.own_zero)
        self.peer = Position(0, self.pairing.peer_zero)
        self.session: Session
        self.got: list[frames.Frame] = []
        self.reads = True
        self._beats = 0

    # --- what the world asks of an end ---

    @property
    def unacknowledged(self) -> bool:
        return not self.reads

    def pump(self) -> None:
        while self.reads and self.conn is not None:
            data = self.station.line.pull(self.conn, limits.SEND_BYTES)
            if not data:
                break
            self._take(data)

    def hang_up(self, farewell: bytes) -> None:
        self.open = False
        if self.reads:
            self._take(farewell)

    def _send_end(self) -> None:
        self.open = False

    def _take(self, data: bytes) -> None:
        self.got += self.session.receive(data)

    # --- what the rogue does ---

    def stands(self) -> bool:
        """Tell whether the station still serves this connection."""
        return self.open

    def call(self, **changed: Any) -> Rogue:
        """Make a session and agree to it, without a heartbeat."""
        self.knock()
        self.say(replace(self.hello(), **changed))
        self.world.run(SOON_S)
        assert self.station.events("session_agreed"), "the rogue has not even begun"
        return self

    def knock(self) -> None:
        """Make a session, up to the attestations."""
        self.session = Session(self.pairing, EPHEMERALS, initiator=True)
        self.conn = self.station.line.called("rogue", self.station.moment())
        self.station.ends[self.conn] = self
        self.open, self._beats = True, 0
        while not self.session.is_open:
            self.flush()

    def hello(self) -> frames.Hello:
        """Give an honest hello."""
        return frames.Hello(
            *(self.own.number, self.own.head, self.peer.number, self.peer.head),
            receipted=0,
            interval_ms=5000,
            accepting=True,
            choice=0,
        )

    def say(self, *said: frames.Frame) -> None:
        """Send frames so that all of them arrive in one read."""
        for frame in said:
            self.session.push(frame)
        self.flush()

    def flush(self) -> None:
        """Hand over what waits."""
        data = b"".join(iter(lambda: self.session.pull(limits.MIB), b""))
        conn = self.conn
        assert conn is not None
        if data and self.open:
            self.station.do(lambda line, at: line.received(conn, data, at))
        self.pump()

    def beat(self, **changed: Any) -> frames.Heartbeat:
        """Give the next heartbeat; it echoes nothing."""
        self._beats += 1
        own, peer = self.own, self.peer
        honest = frames.Heartbeat(
            number=self._beats,
            time_ns=1,
            echo=0,
            held_us=0,
            interval_ms=5000,
            own_number=own.number,
            own_head=own.head,
            peer_number=peer.number,
            peer_head=peer.head,
            receipted=0,
            accepting=True,
            attended=True,
        )
        return replace(honest, **changed)

    def flips(self) -> tuple[frames.Heartbeat, frames.Heartbeat]:
        """Give two heartbeats: nothing is taken in, and then everything again from the start."""
        return self.beat(accepting=False), self.beat(accepting=True)

    def run(self, *written: entries.Entry) -> frames.Entries:
        """Give the next run of the rogue's log, signed."""
        data = tuple(entries.encode(entry) for entry in written)
        first = self.own.number + 1
        self.own = Position(self.own.number + len(data), heads.chain(self.own.head, data)[-1])
        return frames.Entries(first, data, self.pairing.sign_head(self.own))

    def receipt(self, upto: int) -> frames.ReceiptFrame:
        """Give an honest receipt for what was got, up to a number."""
        data: dict[int, bytes] = {}
        for run in self.all(frames.Entries):
            data |= dict(enumerate(run.entries, run.first))
        head = heads.chain(self.pairing.peer_zero, [data[n] for n in range(1, upto + 1)])[-1]
        signature = self.pairing.sign_receipt(Position(upto, head), 1)
        return frames.ReceiptFrame(upto, head, 1, signature)

    def all(self, kind: type[Any]) -> list[Any]:
        """Give every frame of one kind that was got."""
        return [frame for frame in self.got if isinstance(frame, kind)]

    def times_got(self, number: int) -> int:
        """Count how often an entry came."""
        return sum(run.first <= number <= run.last for run in self.all(frames.Entries))
