"""One line's conductor: facts come in, effects go out; the parts beside it each hold one idea.

Inputs are named after what happened. Each returns the effects to carry out, in order. What needs the
store is an effect too (Commit), and nothing is said to the peer before its outcome is durable.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hotline import limits
from hotline.errors import HaltError, HotlineError, ProtocolError, RemoteError
from hotline.line import agreement
from hotline.line.backoff import Backoff
from hotline.line.checkpoints import Checkpoints
from hotline.line.context import Context
from hotline.line.courier import Courier
from hotline.line.effects import Dial, Effect, Writable
from hotline.line.endings import Endings
from hotline.line.halting import Halting
from hotline.line.key_changes import KeyChanges
from hotline.line.links import Link, Links
from hotline.line.liveness import TURNED_AWAY, LineState
from hotline.line.receiving import Receiving
from hotline.line.recovery import Recovery
from hotline.line.sending import Sending
from hotline.line.session import Session
from hotline.line.settling import Settling
from hotline.line.vitals import Vitals
from hotline.wire import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotline.line.moment import Moment
    from hotline.line.pairing import Pairing
    from hotline.line.world import World
    from hotline.model import Halt, LineRecord


class Line:
    """One line of this station."""

    def __init__(
        self,
        pairing: Pairing,
        record: LineRecord,
        world: World,
        addresses: Sequence[str],
        heartbeat_s: float,
    ) -> None:
        """Stand at rest; ``start`` begins."""
        self.links = Links(addresses, Backoff(world.uniform), arbiter=pairing.arbiter)
        self._world = world
        self._context = Context(pairing, record, world.has_room)
        self._context.push = self._push_current
        self._context.session = lambda: self.links.current
        self._context.beat = self._beat
        self._context.fault = self._fault
        self._context.flush = self._flush
        self.sending = Sending(self._context)
        self._receiving = Receiving(self._context)
        self._halting = Halting(self._context)
        self._recovery = Recovery(self._context, self.sending, self._receiving)
        self._settling = Settling(self._context, self.sending, self._receiving)
        self.key_changes = KeyChanges(self._context, self.links)
        parts = (self.sending, self._receiving, self._recovery)
        self.vitals = Vitals(heartbeat_s, self._context, *parts, self._kernel_took_all)
        self.courier = Courier(self._context, *parts, self.vitals)
        self._checkpoints = Checkpoints(self._context, self.links, self.vitals)
        self._endings = Endings(self._context, self.links, self._recovery, self.vitals)
        self._next_beat_at = 0.0

    @property
    def pairing(self) -> Pairing:
        """The two identities of this line."""
        return self._context.pairing

    @property
    def record(self) -> LineRecord:
        """The line's numbers as last committed."""
        return self._context.record

    @property
    def attended(self) -> bool:
        """Whether an operator is on watch here."""
        return self._context.attended

    @property
    def halt(self) -> Halt | None:
        """Why the line has stopped, in force from the moment it was found; None if it has not."""
        return self._context.halt

    # --- inputs: time and operators ---

    def start(self, moment: Moment) -> list[Effect]:
        """Begin; should be called once."""
        self._next_beat_at = moment.now
        self.vitals.since_ns = moment.wall_ns
        self.vitals.set_dialling(may_dial=bool(self.links.addresses))
        return self.wake(moment)

    def wake(self, moment: Moment) -> list[Effect]:
        """Do what is due; should be called at ``deadline`` or at any time."""
        if self._context.stopping:
            self._checkpoints.check_goodbye(moment)
            return self._flush(moment)
        for link in self.links.overdue(moment.now):
            self._endings.overdue(link, moment)
        self._check_silence(moment)
        if self._receiving.accept_again(moment) or moment.now >= self._next_beat_at:
            self._beat(moment)
        self.sending.check_expiry(moment)
        self._checkpoints.check(moment)
        self.courier.check(moment)
        if self._context.halt is None and self.links.should_dial(moment.now):
            link = self.links.dial(moment.now)
            self._context.effects.append(Dial(link.conn, link.address))
        self.sending.send_more(moment)
        return self._flush(moment)

    def deadline(self, moment: Moment) -> float:
        """Give when ``wake`` should be called at the latest (monotonic seconds)."""
        if self._context.stopping:
            return self._checkpoints.goodbye_at
        times: list[float | None] = [
            self._next_beat_at,
            self._checkpoints.due_at,
            self.courier.offers_at,
            self._receiving.accept_again_at,
            self._context.disk.stalls_at(moment.now),
            self.sending.next_expiry_at,
            self.vitals.next_change(moment),
            self.links.next_deadline(may_dial=self._context.halt is None),
        ]
        return min(time for time in times if time is not None)

    def queued(self, moment: Moment) -> list[Effect]:
        """Something may have been queued, in a commit before what this returns."""
        self.sending.hint()
        self.sending.send_more(moment)
        return self._flush(moment)

    def recorded(self, record: LineRecord, moment: Moment) -> list[Effect]:
        """An operator's request changed the line's numbers durably."""
        self._context.record = record
        self.sending.send_more(moment)
        return self._flush(moment)

    def retry(self, moment: Moment, told: Callable[[Any], None] = lambda _: None) -> list[Effect]:
        """An operator asks to try now; a halted line is looked at again from the start.

        told hears once that is durable: None, or the HotlineError that the disk has met.
        """
        self.links.contact()
        self.links.next_dial_at = moment.now
        self._halting.lift(told)
        return self.wake(moment)

    def attend(self, *, attended: bool) -> None:
        """Say, before the start, whether an operator is on watch."""
        self._context.attended = attended

    def set_attended(self, attended: bool, moment: Moment) -> list[Effect]:
        """An operator is on watch, or no longer; the peer is told at once."""
        if attended != self._context.attended:
            self._context.attended = attended
            self._beat(moment)
        return self._flush(moment)

    def reconfigure(
        self, addresses: Sequence[str], heartbeat_s: float, moment: Moment
    ) -> list[Effect]:
        """Take other addresses and another heartbeat; what stands is kept."""
        self.links.set_addresses(addresses, moment.now)
        self.vitals.set_dialling(may_dial=bool(addresses))
        self.vitals.set_heartbeat(heartbeat_s)
        self._next_beat_at = moment.now
        return self.wake(moment)

    def stop(
        self, moment: Moment, *, failed: bool = False, reconfigured: bool = False
    ) -> list[Effect]:
        """End every session with a close frame: by an operator's wish, after a last checkpoint.

        Where the store has failed nothing more is signed; reconfigured: the daemon goes on.
        """
        self._context.stopping = True
        if failed:
            self._endings.close_all("failed", "the store failed", moment)
        else:
            goodbye = partial(self._endings.goodbye, reconfigured=reconfigured)
            self._checkpoints.say_last(moment, goodbye)
        return self._flush(moment)

    def revoke(self, revoked: Halt, moment: Moment) -> list[Effect]:
        """An operator refuses the peer's card for good: every session ends, and none comes again."""
        self.pairing.revoked = revoked
        self._endings.close_all("revoked", "this station refuses your card for good", moment)
        return self._flush(moment)

    # --- inputs: connections ---

    def connected(self, conn: int, moment: Moment) -> list[Effect]:
        """A dial that we asked for has a TCP connection."""
        link = self.links.by_conn.get(conn)
        if link is not None:
            link.session = Session(self.pairing, self._world.ephemerals, initiator=True)
            link.floor = agreement.floor_of(self.record)
            link.deadline = moment.now + limits.HANDSHAKE_TIMEOUT_S
            self._context.effects.append(Writable(conn))
        return self._flush(moment)

    def dial_failed(self, conn: int, trouble: str, detail: str, moment: Moment) -> list[Effect]:
        """A dial came to nothing; trouble is a word of liveness.REASONS."""
        link = self.links.by_conn.get(conn)
        if link is not None:
            self._endings.dial_lost(link, trouble, detail, moment)
        return self.wake(moment)

    def called(self, address: str, moment: Moment) -> int:
        """A connection came in whose first unit has our mac; gives its conn. The unit comes next."""
        surplus = self.links.surplus()
        if surplus is not None:
            self._endings.lose(surplus, TURNED_AWAY, "", moment)
        link = self.links.answer(moment.now, address)
        link.session = Session(self.pairing, self._world.ephemerals, initiator=False)
        link.floor = agreement.floor_of(self.record)
        return link.conn

    def knows(self, conn: int) -> bool:
        """Tell whether a connection is still of interest."""
        return conn in self.links.by_conn

    def received(self, conn: int, data: bytes, moment: Moment) -> list[Effect]:
        """Bytes came."""
        link = self.links.by_conn.get(conn)
        if link is None or link.session is None:
            return self._flush(moment)
        try:
            opened_before = link.session.records_opened
            for frame in link.session.receive(data):
                self._frame(link, frame, moment)
                if link.conn not in self.links.by_conn:
                    break  # let go, or turned away, by what this frame said
            if link is self.links.current and link.session.records_opened > opened_before:
                self.vitals.heard_at = moment.now
        except RemoteError as error:
            self._endings.broke(link, error, moment)
        except HaltError as error:
            self._halt(error, moment)
        if link.session.has_pending and link.conn in self.links.by_conn:
            self._context.effects.append(Writable(conn))
        self.sending.send_more(moment)
        return self._flush(moment)

    def ended(self, conn: int, trouble: str, moment: Moment) -> list[Effect]:
        """The stream ended: ``truncated`` for its end, ``session-lost`` for a broken connection."""
        link = self.links.by_conn.get(conn)
        if link is None:
            return self._flush(moment)
        self._endings.cut(link, trouble, moment)
        return self.wake(moment)

    def pull(self, conn: int, most_bytes: int) -> bytes:
        """Give bytes for a connection's socket; empty when nothing waits."""
        link = self.links.by_conn.get(conn)
        if link is None or link.session is None:
            return b""
        try:
            return link.session.pull(most_bytes)
        except ProtocolError:
            return b""  # its record budget is used up: it was given up when that was pushed

    # --- sessions ---

    def _opened(self, link: Link, moment: Moment) -> None:
        """Both attestations verified: should be called once per session, before any other frame."""
        halt = self._context.halt
        if not self.key_changes.session_opened(link):
            self._endings.lose(link, "keys-over", "", moment)
            return
        if halt is not None and halt.code != agreement.PEER_LOG_LOST:  # that one may be recovering
            self._endings.close(link, "halted", halt.text, moment)
            return
        if not self.links.opened(link, moment.now):
            self._endings.close(link, "superseded", "another session stands", moment, TURNED_AWAY)
            return
        self._context.report(
            "session_opened", conn=link.conn, dialled=link.dialled, address=link.address
        )
        hello = agreement.hello_of(
            self.record,
            interval_s=self.vitals.heartbeat_s,
            accepting=self._receiving.accepting(moment.now),
            choice=link.choice,
        )
        link.asking = hello.recovering
        self._push(link, hello)

    def _frame(self, link: Link, frame: frames.Frame, moment: Moment) -> None:
        self._context.check_load()
        if isinstance(frame, frames.Attest):
            self._opened(link, moment)
        elif isinstance(frame, frames.Close):
            self._endings.peer_closed(link, frame, moment)
        elif isinstance(frame, frames.Hello):
            self._take_hello(link, frame)
        elif not link.hello_taken:
            raise ProtocolError(f"{type(frame).__name__} came before hello")
        elif link is self.links.current and not self._context.settling:
            self._frame_of_current(frame, moment)
        elif link is self.links.current or not link.agreed:
            link.keep_early(frame)
        # What still comes by a session that has been replaced comes again by the new one.

    def _frame_of_current(self, frame: frames.OfSession, moment: Moment) -> None:
        if isinstance(frame, frames.Entries):
            self.sending.verify_receipt(moment)
            self._receiving.take(frame, moment)
        elif isinstance(frame, frames.ReceiptFrame):
            self.sending.take_receipt(frame, moment)
        elif isinstance(frame, frames.Heartbeat):
            self._take_heartbeat(frame, moment)
        elif isinstance(frame, frames.CheckpointFrame):
            self._checkpoints.take(frame, moment)
        elif isinstance(frame, frames.CourierKeyFrame):
            self.courier.take_key(frame)
        else:
            self._recovery.take(frame, moment)

    def _take_hello(self, link: Link, hello: frames.Hello) -> None:
        if link.hello_taken:
            raise ProtocolError("a second hello came")
        link.hello_taken = True
        floor, line = link.floor, self.record.line

        def examined(outcome: Any, then: Moment) -> None:
            agrees = not isinstance(outcome, HotlineError)
            settles = agreement.PEER_LOG_LOST if agrees and hello.recovering else None
            self._halting.release(settles=settles)
            if isinstance(outcome, HaltError):
                # Even if the connection is gone by now: the peer may have found it out first.
                self._halt(outcome, then)
            elif link.conn not in self.links.by_conn:
                return
            elif isinstance(outcome, HotlineError):
                self._context.report("store_full", level="error", why=str(outcome))
                self._endings.close(
                    link, "failed", "the store takes nothing in", then, "not-accepting"
                )
            elif self._context.unrecorded_halt is not None:
                halt = self._context.unrecorded_halt
                self._endings.close(link, "halted", f"{halt.code}: {halt.text}", then)
            else:
                self._context.record = outcome
                self._adopt(link, hello, then)

        self._halting.hold()
        self._context.commit(
            lambda tx: agreement.examine(tx, line, self.pairing, hello, floor), examined
        )

    def _adopt(self, link: Link, hello: frames.Hello, moment: Moment) -> None:
        """Both logs agree: this session carries the line from now on, unless a later choice does."""
        link.choice = max(link.choice, hello.choice)
        if self.links.is_outdated(link, moment.now):
            self._endings.close(
                link, "superseded", "another session was chosen", moment, TURNED_AWAY
            )
            return
        self.links.adopt(link, moment.now)
        self.key_changes.session_agreed(link)
        self._recovery.session_ended(moment.now)
        self._receiving.new_session()
        self._settling.wait(lambda then: self._begin(link, hello, then), moment)

    def _begin(self, link: Link, hello: frames.Hello, moment: Moment) -> None:
        """What an older session brought is durable: the peer may be told what we hold, and go on."""
        if link is not self.links.current:
            return
        self.vitals.session_agreed(moment, hello.interval_ms)
        self._checkpoints.session_agreed()
        self.courier.session_agreed(moment)
        self._context.report(
            "session_agreed",
            conn=link.conn,
            own_number=self.record.own.number,
            peer_has=hello.peer_number,
            peer_number=hello.own_number,
            we_have=self.record.peer.number,
        )
        self._recovery.session_agreed(hello, moment, asking=link.asking)
        self._beat(moment)
        early, link.early = link.early, []
        try:
            for frame in early:
                self._frame_of_current(frame, moment)
        except (RemoteError, HaltError) as error:
            self._fault(error, moment)
        self.sending.send_more(moment)

    # --- liveness ---

    def _beat(self, moment: Moment) -> None:
        """Send a heartbeat, where a session stands, and log the line's pulse in any case."""
        self._next_beat_at = moment.now + self.vitals.heartbeat_s
        number = None
        if self.links.current is not None and not self._context.settling:
            accepting = self._receiving.accepting(moment.now)
            beat = self.vitals.pulse.beat(
                moment, self.record, accepting=accepting, attended=self._context.attended
            )
            number = beat.number
            self._push(self.links.current, beat)
        self.sending.hint()
        self._recovery.go_on()
        self._halting.remember()
        self.vitals.reassess(moment)
        self.vitals.report_heartbeat(moment, number)

    def _take_heartbeat(self, heartbeat: frames.Heartbeat, moment: Moment) -> None:
        is_first = self.vitals.pulse.heard_number == 0
        self.vitals.pulse.heard(heartbeat, moment)
        agreement.still_agree(self.record, heartbeat)
        if is_first:
            self._first_heartbeat(heartbeat, moment)
        if heartbeat.accepting and not self.sending.peer_accepting:
            self.sending.resume(heartbeat.peer_number, moment)
        elif not heartbeat.accepting:
            self.sending.peer_accepting = False

    def _first_heartbeat(self, heartbeat: frames.Heartbeat, moment: Moment) -> None:
        """The peer has adopted this session too, and told all that it holds: older ones may go."""
        self.links.contact()
        self._recovery.heard(heartbeat, moment)
        for other in self.links.replaced():
            self._endings.close(other, "superseded", "a newer session stands", moment)
        if heartbeat.echo == 0:
            self._beat(moment)  # so that the round trip is known at once, not an interval later

    def _check_silence(self, moment: Moment) -> None:
        """Let a session go that has been silent for too long."""
        self.vitals.reassess(moment)
        current, assessment = self.links.current, self.vitals.assessment
        if current is None or self._context.settling:
            return  # what waits for our disk has not begun: the line is down for what was before
        if assessment.state is LineState.DOWN:
            reason, conn = assessment.reason, current.conn
            self._context.report("session_silent", level="warning", conn=conn, reason=reason)
            self._endings.lose(current, reason, "", moment)

    def _kernel_took_all(self) -> bool | None:
        link = self.links.current
        return self._world.kernel_took_all(link.conn) if link is not None else None

    def _fault(self, error: HotlineError, moment: Moment) -> None:
        """Deal with what the peer's authenticated frames turned out to be."""
        if isinstance(error, HaltError):
            self._halt(error, moment)
        elif isinstance(error, RemoteError) and self.links.current is not None:
            self._endings.broke(self.links.current, error, moment)

    def _halt(self, error: HaltError, moment: Moment) -> None:
        """Stop until an operator acts, and tell the peer why."""
        self._halting.halt(error, moment)
        self._endings.close_all("halted", f"{error.code}: {error}", moment, trouble="session-lost")

    # --- effects ---

    def _push_current(self, frame: frames.Frame) -> None:
        # Until a session begins, what comes of an older one is said by none: each part says it anew.
        if self.links.current is not None and not self._context.settling:
            self._push(self.links.current, frame)

    def _push(self, link: Link, frame: frames.Frame) -> None:
        session = link.session
        if session is None or not session.is_open or session.unsent_bytes > limits.UNSENT_BYTES:
            if link.give_up("unread"):
                self._context.report("session_unread", level="warning", conn=link.conn)
            return
        session.push(frame)
        if session.is_spent and link.give_up("spent"):
            self._context.report("session_spent", level="warning", conn=link.conn)
        self._context.effects.append(Writable(link.conn))

    def _flush(self, moment: Moment) -> list[Effect]:
        self._settling.check(moment)
        self._recovery.check_finished()
        self.key_changes.check(moment)
        self.links.check(moment.now)
        self._context.disk.look(moment.now)
        self.vitals.reassess(moment)
        effects, self._context.effects = self._context.effects, []
        return effects
