"""Taking in the peer's log: runs of the session that stands wait for the disk here; receipts follow.

The peer may have at most IN_FLIGHT_BYTES on the way that we have not receipted, so about that is all
that waits here; and because it is bounded, the socket is always read on and a heartbeat never waits
behind a slow disk. (What comes by a session before it begins waits in its Link, bounded there.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hotline.errors import HaltError, HotlineError, ProtocolError, StoreError, StoreFullError
from hotline.limits import ENTRY_BYTES, IN_FLIGHT_BYTES, RUNS_HELD
from hotline.line import applying
from hotline.line.lineage import Generation
from hotline.wire.entries import ends_key_change
from hotline.wire.frames import Entries, ReceiptFrame

if TYPE_CHECKING:
    from hotline.line.applying import Applied
    from hotline.line.context import Context
    from hotline.line.moment import Moment
    from hotline.model import Position

_REFUSAL_PAUSE_S: Final = 5.0
"""After the disk was full, entries are taken in again so much later."""

_ENTRIES: Final = "entries"
"""What the disk may have no room for."""


class Receiving:
    """Runs that came and are not yet durable here."""

    def __init__(self, context: Context) -> None:
        """Hold the peer's log as far as the store has it."""
        self._context = context
        self._next = context.record.peer.number + 1
        self._waiting: list[Entries] = []
        self._applying: list[Entries] = []
        self._held_bytes = 0
        self._dropped = False
        self.accept_again_at: float | None = None
        self._has_room = False
        self._trying = False

    def accepting(self, now: float) -> bool:
        """Tell whether the store takes entries in: it has not refused, and is not stuck."""
        return self.accept_again_at is None and not self._context.disk.stalled(now)

    @property
    def at_disk(self) -> bool:
        """Whether runs are on their way to the disk."""
        return bool(self._applying)

    def new_session(self) -> None:
        """Drop what waits: the peer starts again from the number that we shall tell."""
        self._waiting = []
        self._held_bytes = sum(run.size_bytes for run in self._applying)
        self._dropped = False
        last = [self._context.record.peer.number, *(run.last for run in self._applying)]
        self._next = max(last) + 1

    def take(self, run: Entries, moment: Moment) -> None:
        """Hold a run until it is durable; raises ProtocolError for a gap, or for too much in flight."""
        # A courier may have brought what was due by wire, and the peer goes on behind it.
        due = max(self._next, self._context.record.peer.number + 1)
        if run.first > due:
            if self._dropped:
                return  # it follows what we had to refuse; the peer will send all of it again
            raise ProtocolError(f"entries from {run.first} came where {due} was due")
        if self.accept_again_at is not None:
            self._dropped = True
            return
        self._held_bytes += run.size_bytes
        # One window may be at the disk while the next session sends it again; and one entry may
        # always be in flight, however full the window is.
        if self._held_bytes > 2 * IN_FLIGHT_BYTES + ENTRY_BYTES:
            raise ProtocolError(f"{self._held_bytes} bytes came without waiting for a receipt")
        if len(self._waiting) + len(self._applying) >= RUNS_HELD:
            raise ProtocolError(f"{RUNS_HELD} runs came without waiting for a receipt")
        self._next = max(due, run.last + 1)
        self._waiting.append(run)
        self._apply_more(moment)

    def accept_again(self, moment: Moment) -> bool:
        """Try the disk once the pause after a full one is over; tells whether it has room just now.

        The peer is told only then: a line that is called up at each try would not be honest.
        """
        if self.accept_again_at is None or moment.now < self.accept_again_at:
            return False
        if self._has_room:
            self.accept_again_at = None
            self._context.disk.room(_ENTRIES)
            return True
        self.accept_again_at = moment.now + _REFUSAL_PAUSE_S
        if not self._trying:  # a second answer could come when entries are taken in already
            self._trying = True
            line = self._context.line
            self._context.commit(lambda tx: tx.put_line(tx.line(line)), self._tried)
        return False

    def _tried(self, outcome: Any, moment: Moment) -> None:
        self._trying = False
        if not isinstance(outcome, HotlineError) and self._context.has_room():
            self._has_room = True
            self.accept_again_at = moment.now

    def _apply_more(self, moment: Moment) -> None:
        """Hand all runs that wait to the disk at once; one batch is under way at a time.

        None once the line is halted: whoever was refused, or disagrees, is not believed in what waits.
        """
        if self._applying or not self._waiting or self._context.halt is not None:
            return
        # What follows a key change is signed by the new keys, which must be known by then.
        changes = (n for n, run in enumerate(self._waiting, 1) if ends_key_change(run.entries[-1]))
        end = next(changes, len(self._waiting))
        self._applying, self._waiting = self._waiting[:end], self._waiting[end:]
        context, batch = self._context, self._applying
        if not context.has_room():
            self._not_applied(StoreFullError("the disk has only its reserve left"), moment)
            return
        line, pairing, wall_ns = context.line, context.pairing, moment.wall_ns
        attended = context.attended
        context.commit(
            lambda tx: applying.apply(tx, line, pairing, batch, wall_ns, attended=attended),
            self._applied,
            lambda applied: (applied, self.sign_receipt(applied.record.peer, wall_ns)),
        )

    def _applied(self, outcome: Any, moment: Moment) -> None:
        if isinstance(outcome, HotlineError):
            self._not_applied(outcome, moment)
            return
        applied, receipt = outcome
        self._context.record = applied.record
        self._held_bytes -= sum(run.size_bytes for run in self._applying)
        self._applying = []
        self._context.push(receipt)
        self.report(applied)
        self._apply_more(moment)

    def report(self, applied: Applied) -> None:
        """Tell what new entries brought, and go on with the peer's new keys if it has any."""
        if applied.change is not None:
            self._keys_changed(applied.change)
        self._context.report(
            "entries_applied",
            level="debug",
            about=applied.arrivals,
            answers=applied.answers,
            last=applied.record.peer.number,
            ids=applied.messages,
            flashes=applied.flashes,
            acknowledged=applied.acknowledged,
        )
        for identifier in applied.tests:
            self._context.report("line_test_received", id=identifier)

    def _keys_changed(self, change: applying.Changed) -> None:
        """The peer has new keys, durable here: its log goes on under them."""
        self._context.pairing.peers.add(Generation(change.card, number=change.number))
        self._context.report(
            "peer_keys_changed", level="warning", number=change.number, id=change.card.id.hex()
        )

    def _not_applied(self, error: HotlineError, moment: Moment) -> None:
        """Drop all that waits: it was not receipted, so it comes again."""
        self._applying = []
        self._waiting = []
        self._held_bytes = 0
        self._dropped = True
        self._next = self._context.record.peer.number + 1
        if isinstance(error, StoreFullError):
            self.accept_again_at = moment.now + _REFUSAL_PAUSE_S
            self._has_room = False
            self._context.disk_full(_ENTRIES, error)
            # At once: a peer that never learned of the refusal would wait for a receipt for ever.
            self._context.beat(moment)
        elif isinstance(error, HaltError) or not (
            self._context.settling or isinstance(error, StoreError)
        ):
            # A lost store ends the daemon; and a session that came since has done nothing wrong.
            self._context.fault(error, moment)

    def sign_receipt(self, position: Position, wall_ns: int) -> ReceiptFrame:
        """Sign for the peer's log up to position, which must be durable here."""
        signature = self._context.pairing.sign_receipt(position, wall_ns)
        return ReceiptFrame(position.number, position.head, wall_ns, signature)
