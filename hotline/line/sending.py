"""Sending our log over the session that stands: what to fetch next, what is in flight, receipts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hotline.errors import HotlineError, StoreError
from hotline.line import accepting, sealing, straight
from hotline.line.effects import Commit
from hotline.line.newest import Newest
from hotline.line.pace import Pace
from hotline.line.window import Window
from hotline.model import Precedence, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotline.line.accepting import QueueLimits
    from hotline.line.context import Context
    from hotline.line.effects import Effect
    from hotline.line.moment import Moment
    from hotline.line.newest import Said
    from hotline.model import KeyChange, Outgoing
    from hotline.wire.frames import ReceiptFrame

_EXPIRY_CHECK_S: Final = 1.0
_EXPIRED_A_CHECK: Final = 256
_RESUMPTION_NOTED_S: Final = 1.0

_RUN: Final = "run"
_RECEIPT: Final = "receipt"
"""What the disk may have no room for: a run of what is queued, the peer's receipt."""


@dataclass(frozen=True, slots=True)
class _Fetch:
    """A wish for the entries after number ``after``; ``era`` tells whether it is still wanted."""

    era: int
    after: int
    urgent: bool


class Sending:
    """The cursor in our log: everything up to it has been put on this session."""

    def __init__(self, context: Context) -> None:
        """Stand without a session."""
        self._context = context
        self._window = Window(0.0)
        self._era = 0
        self._active = False
        self._cursor = 0
        self._left_upto = context.record.own.number
        """The highest entry ever sent; after a restart, all that was sealed counts as sent."""
        self._again_upto = 0
        """Entries up to here are sent once more; 0 once that is recorded."""
        self._fetching = False
        self._paused = False
        self._may_wait = True
        self._urgent = False
        self._receipts: Newest[Receipt] = Newest(context)
        self._next_expiry_at = 0.0
        self._expiring = False
        self._resumed_at = -_RESUMPTION_NOTED_S
        self.peer_accepting = True
        self.pace = Pace()

    @property
    def begun(self) -> bool:
        """Whether entries may go over the session that stands."""
        return self._active

    @property
    def refused(self) -> bool:
        """Whether the disk has no room for what is to leave here, or for a receipt that came for it."""
        disk = self._context.disk
        return disk.refuses(_RECEIPT) or (disk.refuses(_RUN) and self.peer_accepting)

    @property
    def receipt_at_disk(self) -> bool:
        """Whether a receipt of the peer is on its way to the disk."""
        return self._receipts.at_disk

    @property
    def waiting_since(self) -> float | None:
        """When the oldest run in flight was sent, or None."""
        return self._window.waiting_since if self._active else None

    @property
    def next_expiry_at(self) -> float | None:
        """When to look for expired messages next, or None while nothing is queued."""
        return self._next_expiry_at if self._context.record.queued_bytes else None

    def begin(self, after: int, now: float, *, peer_accepting: bool) -> None:
        """Go on from the number that the peer says it has."""
        self.end(now)
        self._active = True
        self._cursor = after
        self._again_upto = self._left_upto
        self.peer_accepting = peer_accepting
        self.hint()

    def end(self, now: float) -> None:
        """Stop: the session is gone."""
        self._era += 1
        self._active = False
        self._window = Window(now)

    def resume(self, after: int, moment: Moment) -> None:
        """The peer takes entries in again: what was in flight when it refused is gone there."""
        self.peer_accepting = True
        if not self._active:
            return  # not begun yet in this session: a recovery comes first
        upto = max(self._again_upto, self._cursor)
        self.begin(after, moment.now, peer_accepting=True)
        self._again_upto = upto

    def _note_again(self, after: int, moment: Moment) -> None:
        """Record that entries go once more when the first of them does: a session may end before that.

        At most once in a while, and never in the reserve: a peer that plays with its flag, or makes one
        session after the other, must not fill our disk.
        """
        line, upto = self._context.line, self._again_upto
        self._again_upto = 0
        due = moment.now >= self._resumed_at + _RESUMPTION_NOTED_S
        if after < upto and due and self._context.has_room():
            self._resumed_at = moment.now
            self._context.commit(lambda tx: tx.put_resumption(line, after, upto), lambda *_: None)

    def hint(self, *, urgent: bool = False) -> None:
        """Look into the queue again: should be called after anything was queued, and now and then.

        An urgent one says that a FLASH was queued: it goes though the window is full.
        """
        self._may_wait = True
        self._urgent |= urgent
        self._paused = False

    def send_more(self, moment: Moment) -> None:
        """Fetch what may be sent now."""
        context, record = self._context, self._context.record
        if not self._paused and self._receipts.is_due:
            self.verify_receipt(moment)
        waits = record.own.number > self._cursor or record.queued_bytes > 0 or self._may_wait
        room_bytes = self._room_bytes(moment)
        if not waits or not room_bytes:
            return
        fetch, chunk_bytes = self._begin_fetch(), self._window.chunk_bytes
        line, pairing, wall_ns = context.line, context.pairing, moment.wall_ns
        context.commit(
            lambda tx: sealing.next_run(
                tx,
                line,
                pairing,
                after=fetch.after,
                room_bytes=room_bytes,
                chunk_bytes=chunk_bytes,
                wall_ns=wall_ns,
            ),
            lambda outcome, then: self._fetched(fetch, outcome, then),
        )

    def _room_bytes(self, moment: Moment) -> int:
        """Give how much a run may carry now; 0: none may go."""
        may_not = self._fetching or self._paused or self._context.stopping
        if may_not or not self._active or not self.peer_accepting:
            return 0
        window = self._window
        if self._urgent:
            window.hurry(moment.now)
        room_bytes = window.urgent_room_bytes if self._urgent else window.room_bytes
        return min(room_bytes, window.run_bytes)

    def _begin_fetch(self) -> _Fetch:
        self._fetching = True
        fetch = _Fetch(self._era, self._cursor, self._urgent)
        self._may_wait = self._urgent = False
        return fetch

    def accept(
        self,
        messages: Sequence[Outgoing],
        bounds: QueueLimits,
        told: Callable[[Any], None],
        moment: Moment,
    ) -> list[Effect]:
        """Take an operator's messages in; told hears the answer to each, durable, or a HotlineError.

        What can go at once is sealed by the very fsync that accepts it.
        """
        context, line = self._context, self._context.line
        self.hint(urgent=any(one.precedence is Precedence.FLASH for one in messages))
        way = fetch = None
        room_bytes = self._room_bytes(moment)
        if room_bytes and self._nothing_waits and straight.may_go(messages):
            way = straight.Way(context.pairing, self._cursor, room_bytes, moment.wall_ns)
            fetch = self._begin_fetch()

        def taken(outcome: Any, then: Moment) -> list[Effect]:
            context.disk.answered(then.now)
            self._taken(fetch, outcome, then)
            told(outcome if isinstance(outcome, Exception) else outcome.answers)
            return context.flush(then)

        # Not by context.commit: what our operators ask for is no load that the peer makes.
        context.disk.asked()
        context.effects.append(
            Commit(lambda tx: accepting.accept(tx, line, messages, bounds, way), taken)
        )
        self.send_more(moment)
        return context.flush(moment)

    def _taken(self, fetch: _Fetch | None, outcome: Any, moment: Moment) -> None:
        failed = isinstance(outcome, HotlineError)
        if fetch is not None and (failed or outcome.frame is not None):
            run = outcome if failed else sealing.Run(outcome.record, outcome.frame)
            self._fetched(fetch, run, moment)
        elif not failed:
            self._context.record = outcome.record
            if fetch is not None:  # something stood in the way after all
                self._fetching = False
                self._urgent |= fetch.urgent
            self.send_more(moment)

    @property
    def _nothing_waits(self) -> bool:
        record = self._context.record
        return record.own.number == self._cursor and not record.queued_bytes

    def _fetched(self, fetch: _Fetch, outcome: Any, moment: Moment) -> None:
        self._fetching = False
        if isinstance(outcome, HotlineError):
            # Full disk: what is queued stays queued, and the next hint looks again.
            self._paused = True
            if isinstance(outcome, StoreError):
                self._context.disk_full(_RUN, outcome)
            else:
                self._context.fault(outcome, moment)  # our keys for what is queued are not here
            return
        self._context.disk.room(_RUN)
        run: sealing.Run = outcome
        self._context.record = run.record
        if run.change is not None:
            self.key_change_sealed(run.change)
        self._report_expired(run.expired)
        frame = run.frame
        if fetch.era != self._era:  # for a session that is gone, or begun anew since
            self.send_more(moment)
            return
        if frame is None:
            if run.expired:  # behind them something may wait that has not expired
                self._may_wait = True
                self.send_more(moment)
            return
        self._note_again(frame.first - 1, moment)
        self._cursor = frame.last
        self.left(frame.last)
        self._window.sent(frame.last, frame.size_bytes, moment.now)
        self._context.push(frame)
        self._context.report("entries_sent", level="debug", first=frame.first, last=frame.last)
        self.send_more(moment)

    def left(self, upto: int) -> None:
        """Our entries up to a number have left here, on the wire or with a courier."""
        self._left_upto = max(self._left_upto, upto)

    def key_change_sealed(self, change: KeyChange) -> None:
        """A change of our keys stands in our log, durably."""
        self._context.pairing.owns.changed(change)
        self._context.report("key_change_sealed", number=change.number, id=change.id.hex())

    def take_receipt(self, frame: ReceiptFrame, moment: Moment) -> None:
        """The peer says that its disk has our log up to a number; only the newest counts."""
        self._receipts.came(Receipt(frame.number, frame.head, frame.time_ns, frame.signature))
        if self._receipts.is_due:
            self.verify_receipt(moment)

    def verify_receipt(self, moment: Moment) -> None:
        """Hand the newest receipt to the store, before anything that comes after it.

        An acknowledgement must find the receipt for its message in the store already.
        """
        context = self._context
        line, pairing, wall_ns = context.line, context.pairing, moment.wall_ns
        self._receipts.commit(
            lambda tx, receipt: sealing.take_receipt(tx, line, pairing, receipt, wall_ns),
            self._receipt_taken,
        )

    def _receipt_taken(self, said: Said[Receipt], outcome: Any, moment: Moment) -> None:
        context = self._context
        if isinstance(outcome, StoreError):
            # A full disk: the next hint tries again, for the peer may have no other receipt to give.
            self._receipts.keep(said)
            self._paused = True
            context.disk_full(_RECEIPT, outcome)
            return
        context.disk.room(_RECEIPT)
        if isinstance(outcome, HotlineError):
            # Of an older session it counts for nothing: the keys it is signed by may have gone since.
            context.fault_of(said.session, outcome, moment)
            return
        messages = outcome.delivered - context.record.delivered
        context.record = outcome
        self._window.receipted(said.value.number, moment.now)
        self.pace.delivered(messages, moment.now)
        context.report("receipt_taken", number=said.value.number, messages=messages)
        if self._receipts.is_due:
            self.verify_receipt(moment)
        self.send_more(moment)

    def check_expiry(self, moment: Moment) -> None:
        """Take what has expired from the queue, now and then, even while the line is down."""
        due = self.next_expiry_at
        if due is None or moment.now < due:
            return
        self._next_expiry_at = moment.now + _EXPIRY_CHECK_S
        if self._expiring:
            return  # the disk is stuck: one look at a time
        self._expiring = True
        line, wall_ns = self._context.line, moment.wall_ns
        self._context.commit(
            lambda tx: accepting.expire(tx, line, wall_ns, _EXPIRED_A_CHECK), self._expired
        )

    def _expired(self, outcome: Any, moment: Moment) -> None:
        self._expiring = False
        if isinstance(outcome, HotlineError):
            return  # the next check looks again
        self._context.record, ids = outcome
        if len(ids) == _EXPIRED_A_CHECK:
            self._next_expiry_at = moment.now  # there may be more, and they hold up the queue
        self._report_expired(ids)

    def _report_expired(self, ids: list[str]) -> None:
        for identifier in ids:
            self._context.report("message_expired", id=identifier)
