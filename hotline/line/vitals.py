"""What is known of a line's life: gathers the facts and keeps the assessment of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotline.line.liveness import Assessment, Facts, LineState, assess
from hotline.line.pulse import Pulse

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.line.moment import Moment
    from hotline.model import Halt, LineRecord


class Vitals:
    """The line's state with its reason, and everything it follows from."""

    def __init__(self, heartbeat_s: float) -> None:
        """Begin down, for nothing has been tried."""
        self.heartbeat_s = heartbeat_s
        self.pulse: Pulse | None = None
        self.standing = False
        self.heard_at: float | None = None
        self.assessment = Assessment(LineState.DOWN, "starting", "not yet tried")
        self.since_ns = 0
        self._trouble = "starting"
        self._trouble_detail = ""

    def session_agreed(self, moment: Moment, peer_interval_ms: int) -> None:
        """A session carries the line from now on."""
        self.pulse = Pulse(self.heartbeat_s, moment.now)
        self.pulse.peer_interval_s = peer_interval_ms / 1000
        self.heard_at = moment.now
        self.standing = True

    def session_lost(self, trouble: str, detail: str) -> None:
        """No session stands, for this reason: a word of liveness.REASONS, and what more is known."""
        self.standing = False
        self._trouble, self._trouble_detail = trouble, detail

    def set_heartbeat(self, heartbeat_s: float) -> None:
        """Beat at another pace from now on."""
        self.heartbeat_s = heartbeat_s
        if self.pulse is not None:
            self.pulse.interval_s = heartbeat_s

    def missed(self, now: float) -> int | None:
        """Give how many of the peer's heartbeats are overdue; None before any contact."""
        if self.heard_at is None:
            return None
        interval_s = self.pulse.peer_interval_s if self.pulse is not None else self.heartbeat_s
        return int((now - self.heard_at) / interval_s)

    def facts(
        self,
        moment: Moment,
        halt: Halt | None,
        *,
        accepting: bool,
        peer_accepting: bool,
        waiting_since: float | None,
        kernel_took_all: Callable[[], bool | None],
    ) -> Facts:
        """Gather what is known now; the kernel is asked only when the peer is late."""
        pulse = self.pulse
        heard_at = self.heard_at if self.heard_at is not None else moment.now
        if not self.standing or pulse is None:
            return Facts(moment.now, halt, standing=False, trouble=self._trouble, heard_at=heard_at)
        late = moment.now - heard_at >= max(pulse.interval_s, pulse.peer_interval_s)
        return Facts(
            now=moment.now,
            halt=halt,
            standing=True,
            trouble="",
            heard_at=heard_at,
            proven_at=pulse.proven_at,
            interval_s=pulse.interval_s,
            peer_interval_s=pulse.peer_interval_s,
            kernel_took_all=kernel_took_all() if late else None,
            accepting=accepting,
            peer_accepting=peer_accepting,
            peer_attended=pulse.attended,
            waiting_since=waiting_since,
        )

    def reassess(self, facts: Facts, wall_ns: int) -> Assessment | None:
        """Assess anew; gives what was before if state or reason has changed."""
        before, after = self.assessment, assess(facts)
        if facts.halt is None and not facts.standing and self._trouble_detail:
            after = Assessment(after.state, after.reason, f"{after.detail}: {self._trouble_detail}")
        self.assessment = after
        if after.state is not before.state:
            self.since_ns = wall_ns
        changed = (after.state, after.reason) != (before.state, before.reason)
        return before if changed else None

    def heartbeat_fields(
        self, moment: Moment, record: LineRecord, number: int | None
    ) -> dict[str, Any]:
        """Give the line of the heartbeat log: number is None where no session stood to send it."""
        pulse = self.pulse
        return {
            "number": number,
            "sent": number is not None,
            "rtt_ms": _milliseconds(pulse.rtt_s if pulse else None),
            "clock_offset_ms": _milliseconds(pulse.clock_offset_s if pulse else None),
            "missed": self.missed(moment.now),
            "state": str(self.assessment.state),
            "reason": self.assessment.reason,
            "own_number": record.own.number,
            "receipted": record.receipt.number if record.receipt else 0,
            "peer_number": record.peer.number,
            "queued": record.queued,
        }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
