"""Taking back, over a session, what a store has lost; and giving the peer back what it has lost.

The station that recovers asks for its own log a run at a time (``recover``), takes in what the peer
returns, and asks again; when it asks for what lies beyond the end, both know that its log is whole, and
the session goes on like any other. Until then neither sends entries: what the peer's log says of our
messages can only be taken in once they are back.

And no session carries entries before the peer's first heartbeat in it. Its hello tells what it held
when it wrote that; what an older session brought may have been on its way to its disk still. The
heartbeat follows all of it, so that no number is ever used anew which the peer holds already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotline.errors import HotlineError, ProtocolError, StoreError
from hotline.limits import IN_FLIGHT_BYTES, RETURNED_FRAMES
from hotline.line import taking_back
from hotline.model import Side
from hotline.wire.frames import Recover, Returned

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.line.context import Context
    from hotline.line.moment import Moment
    from hotline.line.receiving import Receiving
    from hotline.line.sending import Sending
    from hotline.wire.frames import Heartbeat, Hello


class Recovery:
    """Both roles in one session: the station that takes back, and the one that gives back."""

    def __init__(self, context: Context, sending: Sending, receiving: Receiving) -> None:
        """Stand by; most sessions have nothing to recover."""
        self._context = context
        self._sending = sending
        self._receiving = receiving
        self._session = 0
        self._recovers = False
        self._peer_recovers = False
        self._peer_lacks_upto = 0
        """Where our log ended as a session with a peer that recovers began; 0 in any other."""
        self._heard = False
        """Whether the peer's first heartbeat has told how far both logs go there."""
        self.ever_heard = False
        """The same of any session since the start."""
        self._own_end = 0
        self._peer_end = 0
        self._held: list[Returned] = []
        self._held_bytes = 0
        self._run_at_disk = False
        """Whether a run of our own log is on its way to the disk, whichever session brought it."""
        self._reading = False
        self._finishing = False
        self._again: Callable[[], None] | None = None
        """What a full disk has held up in this session."""

    @property
    def reason(self) -> str:
        """Give the word for the line's state: what is being recovered, or nothing."""
        if self._context.record.recovering:
            return "recovering"
        return "peer-recovering" if self._peer_recovers else ""

    def reason_while(self, peer_has: int) -> str:
        """Give that word too while the peer's heartbeats say that it has not all of our log again."""
        lacks = peer_has < self._peer_lacks_upto
        return self.reason or ("peer-recovering" if lacks else "")

    def session_ended(self, now: float) -> None:
        """The session that stood is gone, or replaced: nothing is sent, or given, before one begins."""
        self._session += 1
        self._heard = False
        self._sending.end(now)

    def session_agreed(self, hello: Hello, moment: Moment, *, asking: bool) -> None:
        """Begin a session: sending waits until both own logs are whole.

        ``asking`` is what our hello said: the peer waits to be asked even if all came back since, by
        the session before.
        """
        record = self._context.record
        self._recovers, self._peer_recovers = asking, hello.recovering
        self._sending.peer_accepting = hello.accepting
        self._own_end, self._peer_end = hello.peer_number, hello.own_number
        self._peer_lacks_upto = record.own.number if hello.recovering else 0
        self._held, self._held_bytes = [], 0
        self._reading = False
        self._finishing = self._finishing and self._again is None  # else it was held up
        self._again = None
        if self._recovers:
            self._context.report("recovery_begun", level="warning", have=record.own.number)
            self._ask()
        if self._peer_recovers:
            self._context.report("peer_recovering", level="warning", peer_has=hello.own_number)
        elif hello.receipted < record.peer.number:
            self._context.push(self._receiving.sign_receipt(record.peer, moment.wall_ns))

    def heard(self, first: Heartbeat, moment: Moment) -> None:
        """The peer's first heartbeat of the session came: it tells what its hello could not yet."""
        self._heard = self.ever_heard = True
        self._own_end = max(self._own_end, first.peer_number)
        self._peer_end = max(self._peer_end, first.own_number)
        self._begin_sending(self._own_end, moment)

    def _begin_sending(self, after: int, moment: Moment) -> None:
        whole = self._context.record.own.number >= self._own_end
        if self._heard and whole and not self._peer_recovers:
            self._sending.begin(after, moment.now, peer_accepting=self._sending.peer_accepting)

    def take(self, frame: Recover | Returned, moment: Moment) -> None:
        """One of the two frames of a recovery came."""
        if isinstance(frame, Recover):
            self._take_request(frame, moment)
        else:
            self._take_returned(frame, moment)

    # --- giving back ---

    def _take_request(self, frame: Recover, moment: Moment) -> None:
        """The peer asks for its own log; beyond the end, it has all and the line goes on."""
        if not self._peer_recovers:
            raise ProtocolError("the peer asks for its log without recovering")
        if self._reading:
            raise ProtocolError("the peer asks for more of its log than it has waited for")
        record = self._context.record
        if frame.after >= record.peer.number:
            self._peer_recovers = False
            self._context.report("peer_recovered", level="warning", upto=frame.after)
            if record.peer.number:
                self._context.push(self._receiving.sign_receipt(record.peer, moment.wall_ns))
            self._begin_sending(self._own_end, moment)
            return
        self._give_back(frame.after)

    def _give_back(self, after: int) -> None:
        line, session = self._context.line, self._session

        def given(outcome: Any, _: Moment) -> None:
            if session != self._session:
                return
            self._reading = False
            if isinstance(outcome, HotlineError):
                self._again = lambda: self._give_back(after)
                return
            for returned in outcome:
                self._context.push(returned)
            self._context.report("entries_returned", after=after)

        self._reading = True
        self._context.commit(lambda tx: taking_back.give_back(tx, line, after), given)

    # --- taking back ---

    def _take_returned(self, frame: Returned, moment: Moment) -> None:
        """A run of our own log came back; it is believed once it reaches a signature of ours."""
        # Nothing is asked for while a run is on its way to the disk, and so no second one waits there.
        if not self._recovers or self._run_at_disk:
            raise ProtocolError("the peer returns what was not asked for")
        self._held.append(frame)
        self._held_bytes += frame.size_bytes
        if self._held_bytes > 2 * IN_FLIGHT_BYTES or len(self._held) > RETURNED_FRAMES:
            raise ProtocolError("the peer returns more than can be signed at once")
        if frame.signature is None:
            return
        runs, self._held, self._held_bytes = self._held, [], 0
        line, pairing, session = self._context.line, self._context.pairing, self._session
        wall_ns = moment.wall_ns
        self._run_at_disk = True
        self._context.commit(
            lambda tx: (
                taking_back.take_back(tx, line, pairing, runs, wall_ns),
                tx.key_changes(line, Side.OWN),
            ),
            lambda outcome, then: self._taken_back(session, outcome, then),
        )

    def _taken_back(self, session: int, outcome: Any, moment: Moment) -> None:
        self._run_at_disk = False
        if isinstance(outcome, HotlineError):
            if session != self._session:
                self._ask()  # the session that stands has waited for it, and done nothing wrong
            elif isinstance(outcome, StoreError):
                self._again = self._ask
            else:
                self._context.fault(outcome, moment)
            return
        record, changes = outcome
        self._context.record = record
        for change in changes:
            self._context.pairing.owns.changed(change)
        self._context.report("entries_taken_back", level="warning", upto=record.own.number)
        self._ask()
        self._begin_sending(record.own.number, moment)

    def _ask(self) -> None:
        """Ask for what follows in our own log: not before what came of it by any session is there."""
        if self._recovers and not self._run_at_disk:
            self._context.push(Recover(self._context.record.own.number))

    def go_on(self) -> None:
        """Try again what a full disk has held up; should be called now and then."""
        again, self._again = self._again, None
        if again is not None:
            again()

    def check_finished(self) -> None:
        """End the recovery once both logs are back; should be called when anything was taken in."""
        record = self._context.record
        if not (record.recovering and self._recovers and self._heard) or self._finishing:
            return
        if record.own.number < self._own_end or record.peer.number < self._peer_end:
            return
        self._finishing = True
        self._finish()

    def _finish(self) -> None:
        line = self._context.line
        self._context.commit(lambda tx: taking_back.finish(tx, line), self._finished)

    def _finished(self, outcome: Any, _: Moment) -> None:
        if isinstance(outcome, HotlineError):
            self._again = self._finish  # not at once: a full disk would be asked without a pause
            return
        self._finishing = False
        self._recovers = False  # the ends of this session say nothing of a next loss
        self._context.record = outcome
        self._context.report(
            "line_recovered", level="warning", own=outcome.own.number, peer=outcome.peer.number
        )
