"""What must hold always, watched from outside the stations; see world.py for the list."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sim.crypto import REKEY_NONCE
from sim.inspection import inspect_inbox, inspect_outbox
from sim.ledger import Direction, Violation

from hotline.limits import ENTRY_BYTES, IN_FLIGHT_BYTES, MISSED_DEGRADED, MISSED_DOWN
from hotline.line.liveness import LineState
from hotline.model import LineRecord, Position, Side
from hotline.wire import frames

if TYPE_CHECKING:
    from sim.pairing import WatchedPairing
    from sim.runner import Runner
    from sim.station import Station
    from sim.world import World

    from hotline.line.effects import Effect
    from hotline.wire.frames import Frame

_LINKS = 16
_EFFECTS = 64
_COMMITS = 128
_WAKES_AT_ONCE = 20


class Checker:
    """Raises Violation at once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.directions: dict[tuple[str, str], Direction] = {}
        for one, other in world.options.pairs:
            self.directions[one, other] = Direction(one, other)
            self.directions[other, one] = Direction(other, one)
        self.heard: dict[tuple[str, str], float] = defaultdict(lambda: -1e9)
        """When (who, from whom) last took in bytes that nobody had touched."""
        self.halted: dict[tuple[str, str], str] = {}
        """Halts that are on disk, by (host, peer)."""
        self._nonces: dict[bytes, set[bytes]] = defaultdict(set)
        self._woken: dict[tuple[str, str], tuple[float, int]] = {}
        self._records: dict[tuple[str, str], LineRecord] = {}

    # --- cryptography ---

    def used(self, key: bytes, nonce: bytes) -> None:
        """Something is encrypted: never twice under one key and nonce.

        (Both ends make the next key, each for itself, by encrypting the same zeros under the
        reserved nonce: that one is let off.)
        """
        seen = self._nonces[key]
        if nonce in seen and nonce != REKEY_NONCE:
            raise Violation("a nonce was used twice under one key")
        if nonce == REKEY_NONCE:
            self.world.mark("rekey")
        seen.add(nonce)

    # --- what leaves a station ---

    def signed_head(self, pairing: WatchedPairing, position: Position, signature: bytes) -> None:
        """A head was signed, in a transaction that may yet be undone."""
        direction = self.directions[pairing.station.identity, pairing.peer_name]
        direction.signed[signature] = (position.number, position.head)
        if position.number > next(reversed(direction.sealed_at), 0):  # not one sent again
            direction.sealed_at[position.number] = self.world.now

    def signed_receipt(self, pairing: WatchedPairing, position: Position) -> None:
        """A receipt is being signed: the disk has it, or the signature is a lie."""
        held = self._held(pairing.station, pairing.peer_name).peer
        if position.number > held.number:
            raise Violation(
                f"{pairing.station.name} signs a receipt for {position.number}, "
                f"but its disk has {held.number}"
            )

    def leaves(self, pairing: WatchedPairing, frame: Frame) -> None:
        """A frame is on its way: everything in it must be durable here."""
        station, peer = pairing.station, pairing.peer_name
        held = self._held(station, peer)
        if isinstance(frame, frames.Entries):
            self._entries_leave(pairing, frame, held)
        elif isinstance(frame, frames.ReceiptFrame):
            self._may_sign(station, peer, "a receipt")
            if frame.number > held.peer.number:
                raise Violation(f"{station.name} sends a receipt for more than its disk has")
        elif isinstance(frame, frames.CheckpointFrame):
            self._may_sign(station, peer, "a checkpoint")
            if frame.own_number > held.own.number or frame.peer_number > held.peer.number:
                raise Violation(f"{station.name} signs a checkpoint over more than its disk has")
            self.world.mark("checkpoint")
        elif isinstance(frame, frames.Hello | frames.Heartbeat) and (
            frame.own_number > held.own.number or frame.peer_number > held.peer.number
        ):
            raise Violation(f"{station.name} tells numbers that are not durable")

    def _entries_leave(
        self, pairing: WatchedPairing, frame: frames.Entries, held: LineRecord
    ) -> None:
        station, peer = pairing.station, pairing.peer_name
        direction = self.directions[station.identity, peer]
        self._may_sign(station, peer, "entries")
        if frame.last > held.own.number:
            raise Violation(f"{station.name} sends entry {frame.last}, which is not durable")
        number, head = direction.signed[frame.signature]
        if number != frame.last:
            raise Violation(f"{station.name} sends {frame.last} under a signature of {number}")
        if direction.left.setdefault(number, head) != head:
            self.world.mark("two histories left a restored or cloned station")
            if not direction.troubled or self.world.recovering.must_recover(station.identity, peer):
                raise Violation(f"{station.name} signed two histories of entry {number} to {peer}")

    def _held(self, station: Station, peer: str) -> LineRecord:
        if peer not in station.durable_records:
            raise Violation(f"{station.name} speaks to {peer}, and its disk holds nothing of it")
        return station.durable_records[peer]

    def _may_sign(self, station: Station, peer: str, what: str) -> None:
        if station.failed:
            raise Violation(f"{station.name} sends {what} after its store failed")
        if self.halted.get((station.name, peer)):
            raise Violation(f"{station.name} sends {what} to {peer} on a halted line")

    # --- what becomes durable ---

    def committed(self, station: Station, record: LineRecord) -> None:
        """A transaction has changed a line's numbers."""
        key = station.name, record.name
        before = self._records.get(key)
        if record == before:
            return
        self._records[key] = record
        self.halted[key] = record.halt.code if record.halt else ""
        if station.is_clone:
            return
        if before is not None:
            self._goes_forward(station, before, record)
        self._receipt_is_true(station, record)
        incoming = self.directions[record.name, station.identity]
        number = record.peer.number
        if number and (before is None or number != before.peer.number):
            if record.peer.head in incoming.lost.get(number, ()):
                # It was on its way when its author lost it: this is its history from now on.
                if incoming.left.get(number, record.peer.head) != record.peer.head:
                    raise Violation(
                        f"{record.name} used number {number} anew, and {station.name} had it already"
                    )
                incoming.left[number] = record.peer.head
                del incoming.lost[number]
            head = incoming.left.get(number)
            if head != record.peer.head and not incoming.troubled:
                raise Violation(f"{station.name} holds a log that {record.name} never sent")
        if record.received != len(incoming.shown):
            inspect_inbox(self.world, station, incoming)

    def _goes_forward(self, station: Station, before: LineRecord, after: LineRecord) -> None:
        for what in ("sealed", "delivered", "acknowledged", "received", "acknowledged_here"):
            if getattr(after, what) < getattr(before, what):
                raise Violation(f"{station.name}: {what} went back on line {after.name}")
        if after.own.number < before.own.number or after.peer.number < before.peer.number:
            raise Violation(f"{station.name}: a log of line {after.name} became shorter")
        if (after.receipt.number if after.receipt else 0) < (
            before.receipt.number if before.receipt else 0
        ):
            raise Violation(f"{station.name}: the receipt of line {after.name} went back")

    def _receipt_is_true(self, station: Station, record: LineRecord) -> None:
        if record.receipt is None:
            return
        outgoing = self.directions[station.identity, record.name]
        holders = [
            one.durable_records.get(station.identity)
            for one in self.world.stations
            if one.identity == record.name
        ]
        most = max((held.peer.number for held in holders if held is not None), default=0)
        if record.receipt.number > most and not outgoing.troubled:
            raise Violation(
                f"{station.name} holds a receipt for {record.receipt.number}, "
                f"but the disk of {record.name} has {most}"
            )
        outgoing.delivered_up_to = record.receipt.number

    def restored(self, station: Station) -> None:
        """This host's store is another one now, and everybody may know."""
        for key in [key for key in self._records if key[0] == station.name]:
            del self._records[key]
            self.halted.pop(key, None)
        station.durable_records.clear()
        for direction in self.directions.values():
            if station.identity in (direction.author, direction.reader):
                direction.troubled = self.world.options.trouble
            if station.identity == direction.author:
                direction.forget(self.world.now)
                if self.world.recovering.wanted:
                    self.world.recovering.exchanged(station, direction)
            if station.identity == direction.reader:
                direction.shown.clear()
                direction.cursor = 0

    def committed_records(self, station: Station) -> list[LineRecord]:
        """Give the numbers of a station's lines after its last transaction, as far as it has begun."""
        return [record for key, record in self._records.items() if key[0] == station.name]

    def cloned(self, original: Station) -> None:
        """From now on two hosts write one log."""
        for direction in self.directions.values():
            if original.identity in (direction.author, direction.reader):
                direction.troubled = self.world.options.trouble

    def started(self, station: Station) -> None:
        """A station has begun anew: it must know all that it promised."""
        if station.is_clone:
            return
        for peer, runner in station.runners.items():
            if self.halted.get((station.name, peer)) and runner.line.record.halt is None:
                raise Violation(f"{station.name} forgot that line {peer} is halted")
            self.inspect_line(station, peer)

    def halt_reported(self, station: Station, peer: str) -> None:
        """A line told its operators that it is halted; from when that is durable, it stays so."""
        life = station.life
        self.world.after(5.0, lambda: self._halt_stayed(station, peer, life))

    def _halt_stayed(self, station: Station, peer: str, life: int) -> None:
        if station.life != life or station.frozen or self.world.retried(station, peer):
            return
        if self.world.now - station.full_at < 10.0:
            return  # on a full disk nothing can be kept: the next hello finds it out again
        if self.world.recovering.was_asked(station.identity, peer):
            return
        if not station.stopping and not self.halted.get((station.name, peer)):
            raise Violation(f"{station.name} said that line {peer} is halted, and did not write it")

    # --- after each input ---

    def effects(self, runner: Runner, effects: list[Effect]) -> None:
        """One input may not lead to any number of effects."""
        if len(effects) > _EFFECTS:
            raise Violation(f"{runner.station.name}: {len(effects)} effects at once")

    def after_input(self, runner: Runner) -> None:
        """Every queue and buffer stays within its limit, and the state is honest."""
        line, name = runner.line, runner.station.name
        window, held = line.sending._window.in_flight_bytes, line._receiving._held_bytes
        if window > IN_FLIGHT_BYTES + ENTRY_BYTES:
            raise Violation(f"{name}: {window} bytes in flight")
        if held > 2 * IN_FLIGHT_BYTES + ENTRY_BYTES:
            raise Violation(f"{name}: {held} bytes held for the disk")
        if len(line.links.by_conn) > _LINKS:
            raise Violation(f"{name}: {len(line.links.by_conn)} connections on one line")
        if runner.station.writer.waiting > _COMMITS:
            raise Violation(f"{name}: {runner.station.writer.waiting} commits wait")
        if any(link.early for link in line.links.by_conn.values()):
            self.world.mark("a frame came before our agreement")
        current = line.links.current
        if current is not None and current.session is not None:
            writer = current.session._writer
            if writer is not None and writer.pending_bytes > 2 * IN_FLIGHT_BYTES:
                raise Violation(f"{name}: {writer.pending_bytes} bytes wait for the socket")
        self.check_up(runner)

    def woken(self, runner: Runner) -> None:
        """After a wake nothing is due: the daemon must not spin."""
        line, now = runner.line, runner.station.moment()
        if line.deadline(now) <= now.now:
            raise Violation(f"{runner.station.name} is due again at once")
        key = runner.station.name, runner.peer
        at, count = self._woken.get(key, (0.0, 0))
        count = count + 1 if at == self.world.now else 1
        self._woken[key] = self.world.now, count
        if count > _WAKES_AT_ONCE:
            raise Violation(f"{runner.station.name} spins")

    def pulled(self, runner: Runner, conn: int) -> None:
        """A socket takes records: note if the key changes under load."""
        link = runner.line.links.by_conn.get(conn)
        writer = link.session._writer if link is not None and link.session is not None else None
        if writer is None or runner.line.sending.waiting_since is None:
            return
        per_key = self.world.options.records_per_key
        if writer.records % per_key + writer.pending_bytes // 4080 >= per_key:
            self.world.mark("rekey under load")

    def check_up(self, runner: Runner) -> None:
        """`up` is said only while authenticated bytes go both ways."""
        line, station = runner.line, runner.station
        if line.vitals.assessment.state is not LineState.UP or station.frozen:
            return
        who, whom, now = station.identity, runner.peer, self.world.now
        pace = self.world.options.heartbeat_s
        longest = max(pace[who], pace[whom])
        slack = 0.2 + 4 * self.world.options.slowest_commit_s
        silence = now - self.heard[who, whom]
        if silence > MISSED_DEGRADED * longest + slack:
            raise Violation(f"{station.name} says up to {whom} after {silence:.1f} s of silence")
        unheard = now - self.heard[whom, who]
        # A fresh session is itself the proof: its handshake may have taken HANDSHAKE_TIMEOUT_S.
        if unheard > MISSED_DOWN * longest + pace[whom] + slack + 10.0:
            raise Violation(f"{station.name} says up, but {whom} has not heard it {unheard:.1f} s")

    def probe(self) -> None:
        """Look at all lines as an operator would, between two events."""
        for station in self.world.stations:
            if station.alive and not station.frozen:
                for runner in station.runners.values():
                    self.check_up(runner)

    def inspect(self) -> None:
        """Look at all messages of all stations that run."""
        for station in self.world.stations:
            if station.alive and not station.is_clone and not station.writer.lost:
                for peer in station.runners:
                    self.inspect_line(station, peer)

    def inspect_line(self, station: Station, peer: str) -> None:
        """Look at all messages of one line."""
        inspect_inbox(self.world, station, self.directions[peer, station.identity])
        inspect_outbox(self.world, station, self.directions[station.identity, peer])

    def failed(self, runner: Runner, fields: Any) -> None:
        """A session was ended because the peer broke a rule: an honest peer never does."""
        host, peer = runner.station.identity, runner.peer
        if fields["error"] in {"ProtocolError", "DecodeError"}:
            direction = self.directions[peer, host]
            if not direction.troubled and not self.world.attacker.touched(runner, fields["conn"]):
                raise Violation(f"{host} accuses {peer}, which is honest: {fields['why']}")

    def halts(self, runner: Runner, fields: Any) -> None:
        """A line halts: only where a store was restored, wiped or cloned."""
        host, peer = runner.station.identity, runner.peer
        self.world.mark(f"halted: {fields['code']}")
        if not self.directions[peer, host].troubled:
            raise Violation(f"{host} halts line {peer} for nothing: {fields['why']}")
        self.halt_reported(runner.station, peer)

    def side(self, station: Station, peer: str, side: Side) -> Direction:
        """Give the direction that a station's log of one side is."""
        if side is Side.OWN:
            return self.directions[station.identity, peer]
        return self.directions[peer, station.identity]
