"""Messages and lines as the control socket shows them: the stable field names of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hotline.limits import CLOCK_DIFFERS_S
from hotline.model import Side, spelled
from hotline.text import utc_microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.daemon.trust import Notice, Trust
    from hotline.line.line import Line
    from hotline.line.moment import Moment
    from hotline.store.views import Damaged, MessageView


def message(view: MessageView) -> dict[str, Any]:
    """Give one message object."""
    return {
        "id": view.id,
        "line": view.line,
        "direction": "out" if view.side is Side.OWN else "in",
        "number": view.number,
        "precedence": spelled(view.precedence),
        "author": view.author,
        "subject": view.subject,
        "body": view.body,
        "composed_at": _time(view.composed_ns),
        "ack_by": _time(view.ack_by_ns),
        "expires_at": _time(view.expires_ns),
        "sent_at": _time(view.sent_ns),
        "delivered_at": _time(view.delivered_ns),
        "received_at": _time(view.received_ns),
        "acknowledged_at": _time(view.acknowledged_ns),
        "acknowledged_by": view.acknowledged_by,
        "decision": None if view.decision is None else spelled(view.decision),
        "note": view.note,
        "state": str(view.state),
        "attempts": view.attempts,
        "row": view.row,
    }


def damaged(subject: Damaged) -> dict[str, Any]:
    """Give what is known of a message that cannot be shown."""
    return {
        "row": subject.row,
        "id": subject.id,
        "line": subject.line,
        "why": str(subject.error),
        "hint": subject.error.hint,
    }


def line(
    subject: Line, moment: Moment, decided: Trust, notices: Sequence[Notice]
) -> dict[str, Any]:
    """Give one line's status, with what its operators decided about the card and should do."""
    record, vitals, links = subject.record, subject.vitals, subject.links
    pulse, current, peers = vitals.pulse, links.current, subject.pairing.peers
    dialling = links.dialling
    shown = current if current is not None else dialling
    next_dial_at = None if current is not None or dialling is not None else links.dial_due_at()
    return {
        "name": record.name,
        "state": str(vitals.assessment.state),
        "reason": vitals.assessment.reason,
        "detail": vitals.assessment.detail,
        "since": _time(vitals.since_ns),
        "rtt_ms": _milliseconds(pulse.rtt_s),
        "clock_offset_ms": _milliseconds(pulse.clock_offset_s),
        "clock_differs": pulse.clock_offset_s is not None
        and abs(pulse.clock_offset_s) > CLOCK_DIFFERS_S,
        "last_heard_s": _seconds(vitals.heard_at, moment.now),
        "attended": pulse.attended if current is not None else None,
        "queued": record.queued,
        "queued_bytes": record.queued_bytes,
        "in_flight": record.sealed - record.delivered,
        **drain(subject, moment.now),
        "unacknowledged": record.delivered - record.acknowledged,
        "unread": record.received - record.acknowledged_here,
        "attempts": links.attempts,
        "next_attempt_s": None
        if next_dial_at is None or subject.halt is not None
        else round(max(0.0, next_dial_at - moment.now), 3),
        "address": shown.address if shown is not None else next(iter(links.addresses), None),
        "session_age_s": _seconds(current.opened_at if current else None, moment.now),
        **trust(decided),
        "peer_id": peers[peers.newest_in_log].card.id.hex(),
        "peer_pinned_id": peers[0].card.id.hex(),
        "key_change": subject.key_changes.state,
        "notices": list(notices),
    }


def standing(subject: Line) -> dict[str, Any]:
    """Give how a line stands, in two words: whoever queues something may have to act."""
    assessment = subject.vitals.assessment
    return {"state": str(assessment.state), "reason": assessment.reason}


def retried(subject: Line) -> dict[str, Any]:
    """Give what becomes of a retry of a line that stands as it does now."""
    links = subject.links
    if subject.pairing.revoked is not None:
        outcome = "revoked"
    elif links.current is not None:
        outcome = "connected"
    else:
        outcome = "calling" if links.addresses else "no-address"
    return {"line": subject.record.name, "outcome": outcome, **standing(subject)}


def trust(subject: Trust) -> dict[str, Any]:
    """Give what operators decided about a card."""
    return {
        "verified_at": subject.verified and _time(subject.verified.at_ns),
        "verified_by": subject.verified and subject.verified.operator,
        "revoked_at": subject.revoked and _time(subject.revoked.at_ns),
        "revoked_by": subject.revoked and subject.revoked.operator,
    }


def drain(subject: Line, now: float) -> dict[str, float | None]:
    """Give how fast a line delivers, and when what waits now will be delivered at that pace."""
    record, pace = subject.record, subject.vitals.delivered_a_second(now)
    waiting = record.queued + record.sealed - record.delivered
    return {
        "delivered_per_s": None if pace is None else round(pace, 1),
        "drain_s": None if pace is None or not waiting else round(waiting / pace, 1),
    }


def _time(time_ns: int | None) -> str | None:
    return None if time_ns is None else utc_microseconds(time_ns)


def _seconds(since: float | None, now: float) -> float | None:
    return None if since is None else round(now - since, 3)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
