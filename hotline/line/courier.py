"""The courier of one line: its keys, and files that carry what the wire cannot.

The station's own courier key goes to the peer by wire, once a session, when nothing is in flight; the
peer's is kept in the store, so that it is there when the wire is not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from hotline.errors import DecodeError, HotlineError, ProtocolError, RefusedError, StoreError
from hotline.limits import CALM_S
from hotline.line import checkpoints, courier_files
from hotline.line.newest import Newest
from hotline.wire import courier
from hotline.wire.courier import Content
from hotline.wire.frames import CourierKeyFrame

if TYPE_CHECKING:
    from hotline.errors import HaltError
    from hotline.line.context import Context
    from hotline.line.courier_files import Packed, Taken
    from hotline.line.effects import Effect
    from hotline.line.moment import Moment
    from hotline.line.newest import Said
    from hotline.line.receiving import Receiving
    from hotline.line.recovery import Recovery
    from hotline.line.sending import Sending
    from hotline.line.vitals import Vitals
    from hotline.store.interface import Transaction

_CALMS: Final = 2
"""So many calms (limits.CALM_S) a session waits with our key: its checkpoint takes the first."""


class Courier:
    """What one line does with courier keys and files; writing and reading them is the operator's."""

    def __init__(
        self,
        context: Context,
        sending: Sending,
        receiving: Receiving,
        recovery: Recovery,
        vitals: Vitals,
    ) -> None:
        """Stand by; vitals are only looked at."""
        self._context = context
        self._sending = sending
        self._receiving = receiving
        self._recovery = recovery
        self._vitals = vitals
        self._newest: Newest[bytes] = Newest(context)
        """Of the peer's keys."""
        self.offers_at = math.inf
        """When ``check`` has something to do (monotonic seconds); infinity if nothing is to come."""

    @property
    def may_number(self) -> bool:
        """Whether the peer has told, since the start, how far our log goes over there."""
        return self._recovery.ever_heard

    # --- keys ---

    def session_agreed(self, moment: Moment) -> None:
        """Our key goes out once a session: not at once, for what waited for the session goes first.

        What an older session brought is not looked at any more: the peer says it again too.
        """
        self._newest.drop()
        self.offers_at = moment.now + _CALMS * CALM_S

    def check(self, moment: Moment) -> None:
        """Send our key if it is due and nothing of ours goes first; else look again in a while."""
        if moment.now < self.offers_at:
            return
        if self._context.session() is None:
            self.offers_at = math.inf  # the next one sets it anew
            return
        self.offers_at = moment.now + _CALMS * CALM_S
        is_calm = moment.now >= self._vitals.pulse.calm_at(_CALMS)
        if is_calm and self._sending.begun and self._sending.waiting_since is None:
            self.offers_at = math.inf
            self._context.push(
                CourierKeyFrame(self._context.pairing.speaking().courier_key.encoded)
            )

    def take_key(self, frame: CourierKeyFrame) -> None:
        """The peer's key came by wire; of several that come at once only the newest counts.

        To verify one takes half a millisecond of the store's thread, for which all lines wait.
        """
        self._newest.came(frame.key)
        self._take_newest()

    def _take_newest(self) -> None:
        if self._newest.is_due:
            line, pairing = self._context.line, self._context.pairing
            self._newest.commit(
                lambda tx, key: courier_files.keep_key(tx, line, pairing, key), self._key_came
            )

    def _key_came(self, said: Said[bytes], outcome: Any, moment: Moment) -> None:
        if isinstance(outcome, HotlineError) and said.session is self._context.session():
            # The disk is full, or the session ends now: what waits comes again with the next one.
            self._newest.drop()
        if isinstance(outcome, HotlineError):
            if not isinstance(outcome, StoreError):
                self._context.fault_of(said.session, outcome, moment)
        else:
            self._key_taken(outcome)
        self._take_newest()

    def keeping(self, encoded: bytes) -> Any:
        """Give the work that keeps the peer's key."""
        line, pairing = self._context.line, self._context.pairing
        return lambda tx: courier_files.keep_key(tx, line, pairing, encoded)

    def _key_taken(self, is_new: bool) -> None:
        if is_new:
            self._context.report("courier_key_kept")

    def key_kept(self, is_new: bool, moment: Moment) -> list[Effect]:
        """An operator brought the peer's key."""
        self._key_taken(is_new)
        return self._context.flush(moment)

    # --- files ---

    def ready(self) -> None:
        """Raise RefusedError while the line is halted, whether or not the disk has taken that."""
        courier_files.refuse_halted(self._context.record.name, self._context.halt)

    def roomy(self) -> None:
        """Raise RefusedError while the disk has no room for what the peer says."""
        if not self._context.has_room():
            raise RefusedError(
                "disk-full", "the disk has no room to take a courier file in", hint="free some"
            )

    def pack(
        self,
        tx: Transaction,
        after: int | None,
        most_bytes: int,
        wall_ns: int,
        *,
        may_number: bool = True,
    ) -> Packed:
        """Number what is queued and give what goes into the next file (work for the store)."""
        return courier_files.pack(
            tx,
            self._context.line,
            self._context.pairing,
            after=after,
            most_bytes=most_bytes,
            wall_ns=wall_ns,
            may_number=may_number,
        )

    def packed(self, packed: Packed, operator: str, moment: Moment) -> list[Effect]:
        """What goes into a file is durable."""
        self._context.record = packed.record
        if packed.change is not None:
            self._sending.key_change_sealed(packed.change)
        self._sending.left(packed.last)
        for identifier in packed.expired:
            self._context.report("message_expired", id=identifier)
        self._context.report(
            "courier_exported",
            level="warning",
            operator=operator,
            after=packed.before.number,
            last=packed.last,
        )
        return self._context.flush(moment)

    def seal(self, packed: Packed, wall_ns: int) -> bytes:
        """Give the file for what was packed, with our receipt and our courier key beside it.

        May be called from any thread, once what was packed is durable: until then nothing is signed.
        """
        pairing, record = self._context.pairing.sealing_to(packed.peer_key), packed.record
        receipt = None
        if record.peer.number:
            receipt = self._receiving.sign_receipt(record.peer, wall_ns)
        checkpoint = None
        if packed.checkpoint is not None:
            checkpoint = checkpoints.frame_of(packed.checkpoint)
        content = Content(
            writer=pairing.own.id,
            reader=pairing.peer.id,
            time_ns=wall_ns,
            before=packed.before,
            peer=record.peer,
            receipted=record.receipt.number if record.receipt is not None else 0,
            courier_key=CourierKeyFrame(pairing.courier_key.encoded),
            receipt=receipt,
            runs=tuple(packed.runs),
            checkpoint=checkpoint,
        )
        return pairing.seal_courier(courier.encode(content), packed.peer_key)

    def open(self, file: bytes) -> Content:
        """Give what the peer put into a file; raises RefusedError unless it is one, for this line.

        May be called from any thread.
        """
        pairing = self._context.pairing.opening(file)
        if pairing is None:
            raise _unusable("it is for another line, or for keys that this station no longer has")
        try:
            content = courier.decode(pairing.open_courier(file))
        except (DecodeError, ProtocolError) as error:
            raise _unusable(str(error)) from None
        if (content.writer, content.reader) != (pairing.peer.id, pairing.own.id):
            raise _unusable("it is from another station, or for another one")
        return content

    def take_in(self, tx: Transaction, content: Content, wall_ns: int) -> Taken:
        """Take in what a file says (work for the store)."""
        line, pairing = self._context.line, self._context.pairing
        try:
            if content.courier_key is not None:
                courier_files.keep_key(tx, line, pairing, content.courier_key.key)
            return courier_files.take_in(tx, line, pairing, content, wall_ns)
        except (DecodeError, ProtocolError) as error:
            raise _unusable(str(error)) from None

    def taken(self, taken: Taken, content: Content, operator: str, moment: Moment) -> list[Effect]:
        """What a file said is durable here; whoever waits learns of it as if it had come by wire."""
        context, applied = self._context, taken.applied
        context.record = taken.record
        context.report(
            "courier_imported",
            level="warning",
            operator=operator,
            after=content.before.number,
            last=content.last,
            entries=taken.entries,
            delivered=taken.delivered,
        )
        if content.receipt is not None and taken.delivered:
            context.report("receipt_taken", number=content.receipt.number, messages=taken.delivered)
        if taken.entries:
            self._receiving.report(applied)
            # By a session that stands too: the peer need not wait for a courier to come back.
            if not self._recovery.reason:
                context.push(self._receiving.sign_receipt(taken.record.peer, moment.wall_ns))
        return context.flush(moment)

    def disagreed(self, error: HaltError, moment: Moment) -> list[Effect]:
        """A file shows that the logs disagree."""
        self._context.fault(error, moment)
        return self._context.flush(moment)


def _unusable(why: str) -> RefusedError:
    return RefusedError(
        "bad-courier", f"the courier file is not taken in: {why}", hint="nothing was changed"
    )
