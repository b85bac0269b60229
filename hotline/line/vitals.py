"""What is known of a line's life: gathers the facts and keeps the assessment of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline.line.liveness import (
    EXPLAINS,
    REASONS,
    Assessment,
    Facts,
    LineState,
    assess,
    next_change,
)
from hotline.line.pulse import Pulse
from hotline.line.silence import Silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.line.context import Context
    from hotline.line.moment import Moment
    from hotline.line.receiving import Receiving
    from hotline.line.recovery import Recovery
    from hotline.line.sending import Sending


class Vitals:
    """The line's state with its reason, and everything it follows from."""

    def __init__(
        self,
        heartbeat_s: float,
        context: Context,
        sending: Sending,
        receiving: Receiving,
        recovery: Recovery,
        kernel_took_all: Callable[[], bool | None],
    ) -> None:
        """Begin down, for nothing has been tried; the other parts are only asked, never told."""
        self.heartbeat_s = heartbeat_s
        self._context = context
        self._sending = sending
        self._receiving = receiving
        self._recovery = recovery
        self._blame = Silence(kernel_took_all)
        self.pulse = Pulse(heartbeat_s, 0.0)
        """Of the newest session, or of none yet: then nothing is known of the peer."""
        self.standing = False
        self.heard_at: float | None = None
        self.assessment = Assessment(LineState.DOWN, "starting", "not yet tried")
        self.since_ns = 0
        self._trouble = "starting"
        self._trouble_detail = ""
        self._may_dial = True
        self._news = "starting", ""
        """The last trouble, and its detail, that nothing before it explains."""
        self._now = ""
        """What calls meet, where the trouble explains it."""

    def session_agreed(self, moment: Moment, peer_interval_ms: int) -> None:
        """A session carries the line from now on."""
        self.pulse = Pulse(self.heartbeat_s, moment.now)
        self.pulse.peer_interval_s = peer_interval_ms / 1000
        self.heard_at = moment.now
        self.standing = True

    def session_lost(self, trouble: str, detail: str) -> None:
        """No session stands, for this reason: a word of liveness.REASONS, and what more is known."""
        self.standing = False
        # Not news: a peer that stops may have closed its ears before its doors.
        if trouble != "no-answer" and trouble not in EXPLAINS.get(self._news[0], ()):
            self._news = trouble, detail
        explained = trouble in EXPLAINS.get(self._news[0], ())
        self._trouble, self._trouble_detail = self._news if explained else (trouble, detail)
        self._now = trouble if explained else ""

    def set_dialling(self, *, may_dial: bool) -> None:
        """There is an address to dial, or none; without a session a change of that is what is known."""
        if may_dial is not self._may_dial and not self.standing:
            self.session_lost("starting" if may_dial else "no-address", "")
        self._may_dial = may_dial

    def set_heartbeat(self, heartbeat_s: float) -> None:
        """Beat at another pace from now on."""
        self.heartbeat_s = self.pulse.interval_s = heartbeat_s

    def delivered_a_second(self, now: float) -> float | None:
        """Give how many messages a second the peer has receipted of late; None if none."""
        return self._sending.pace.a_second(now)

    def missed(self, now: float) -> int | None:
        """Give how many of the peer's heartbeats are overdue; None before any contact."""
        if self.heard_at is None:
            return None
        return int((now - self.heard_at) / self.pulse.peer_interval_s)

    def next_change(self, moment: Moment) -> float | None:
        """Give when, without news, the state or reason would next be different."""
        return next_change(self._facts(moment))

    def reassess(self, moment: Moment) -> None:
        """Assess anew, and report if state or reason has changed."""
        self._blame.look(moment.now, self.heartbeat_s)
        facts, before = self._facts(moment), self.assessment
        after = assess(facts)
        if facts.halt is None and not facts.standing:
            more = f": {self._trouble_detail}" if self._trouble_detail else ""
            now = f"; now: {REASONS[self._now]}" if self._now else ""
            after = Assessment(after.state, after.reason, after.detail + more + now)
        self.assessment = after
        if after.state is not before.state:
            self.since_ns = moment.wall_ns
        if (after.state, after.reason) != (before.state, before.reason):
            self._context.report(
                "line_state",
                level="info" if after.state is LineState.UP else "warning",
                state=str(after.state),
                was=str(before.state),
                reason=after.reason,
                detail=after.detail,
            )

    def _facts(self, moment: Moment) -> Facts:
        """Gather what is known now; the kernel is asked only when the peer is late."""
        pulse, halt = self.pulse, self._context.halt
        heard_at = self.heard_at if self.heard_at is not None else moment.now
        if not self.standing:
            return Facts(moment.now, halt, standing=False, trouble=self._trouble, heard_at=heard_at)
        interval_s = max(pulse.interval_s, pulse.peer_interval_s)
        late = moment.now - heard_at >= interval_s
        took_all = self._blame.took_all(moment.now, heard_at, interval_s) if late else None
        return Facts(
            now=moment.now,
            halt=halt,
            standing=True,
            trouble="",
            heard_at=heard_at,
            proven_at=pulse.proven_at,
            interval_s=pulse.interval_s,
            peer_interval_s=pulse.peer_interval_s,
            kernel_took_all=took_all,
            accepting=self._receiving.accepting(moment.now) and not self._sending.refused,
            peer_accepting=self._sending.peer_accepting,
            peer_attended=pulse.attended,
            waiting_since=self._sending.waiting_since,
            recovery=self._recovery.reason_while(pulse.peer_has),
        )

    def report_heartbeat(self, moment: Moment, number: int | None) -> None:
        """Report a line of the heartbeat log: number is None where no session stood to send it."""
        pulse, record = self.pulse, self._context.record
        self._context.report(
            "heartbeat",
            number=number,
            sent=number is not None,
            rtt_ms=_milliseconds(pulse.rtt_s),
            clock_offset_ms=_milliseconds(pulse.clock_offset_s),
            missed=self.missed(moment.now),
            state=str(self.assessment.state),
            reason=self.assessment.reason,
            own_number=record.own.number,
            receipted=record.receipt.number if record.receipt else 0,
            peer_number=record.peer.number,
            queued=record.queued,
        )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
