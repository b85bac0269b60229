"""The line's state, and why: a pure function of what is known now.

Two laws. A state is never better than what authenticated bytes have proven within the last few
heartbeats. And a reason never claims more than is known: where two causes look the same from here,
the reason names what is seen.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, NamedTuple

from hotline.limits import MISSED_DEGRADED, MISSED_DOWN, NO_PROGRESS_S

if TYPE_CHECKING:
    from hotline.model import Halt


class LineState(enum.StrEnum):
    """What an operator may rely on."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    HALTED = "halted"


REASONS: Final = {
    "proven": "heard and answered both ways within the last heartbeats",
    "unattended": "both daemons answer; nobody is on watch over there",
    "heartbeats-missed": "nothing heard from the peer for {silence_s:.0f} s",
    "network-silent": "nothing heard for {silence_s:.0f} s and what we send is not taken: "
    "the network or the peer's host is cut off",
    "peer-stalled": "nothing heard for {silence_s:.0f} s though the peer's host takes what we send: "
    "its daemon is stalled",
    "one-way": "we hear the peer, but it has not heard us for {unproven_s:.0f} s",
    "peer-not-accepting": "the peer's store takes nothing in: its disk is full, stuck or broken",
    "not-accepting": "this station's store takes nothing in: its disk is full or stuck",
    "recovering": "this station takes back from the peer what its own store has lost",
    "peer-recovering": "the peer takes back from this station what its store has lost: its own log, "
    "and then its copy of ours",
    "no-receipts": "entries have waited {waiting_s:.0f} s for a receipt while heartbeats go on: "
    "the peer's store is slow or stuck, or the link is",
    "starting": "not yet tried",
    "stopped": "this station's daemon is stopping",
    "reconfigured": "this line was changed or removed in this station's configuration",
    "no-address": "no address to dial: waiting for the peer to call",
    "refused": "the connection is refused: no daemon listens there, or something on the way "
    "refuses for it",
    "unreachable": "no route to the peer's host",
    "timed-out": "the peer's host does not answer: it is off or cut off",
    "no-room": "this machine has no descriptor or memory left for one more connection",
    "unresolved": "the name of the peer's host cannot be resolved, or no name server answers",
    "no-answer": "a connection is made but the handshake is not answered: the daemon there is "
    "stalled, or does not take us for its peer (another card or line secret, keys that are over, a "
    "card that is revoked)",
    "handshake-failed": "what answers does not prove to be the peer's station: something else "
    "listens there, bytes were changed on the way, or it broke off",
    "keys-over": "the last call began under keys that were over before it was answered: the next one "
    "is made with the new ones",
    "no-hello": "the peer attested but said no hello in time: its daemon is stalled or at fault, or "
    "the network was cut since",
    "session-lost": "the connection broke",
    "spent": "the session has carried all records that it may, and no other could be made in time",
    "unread": "the peer does not read what this station sends: its daemon is at fault",
    "truncated": "the connection ended without a close: cut on the way, or the peer's daemon died",
    "peer-stopped": "the peer's operator stopped its daemon, or ended this line there",
    "peer-halted": "the peer has halted the line",
    "peer-revoked": "the peer's operators refuse this station's card for good",
    "peer-closed": "the peer closed the session",
    "protocol-error": "the peer broke the protocol; see the daemon's log",
}


TURNED_AWAY: Final = ""
"""The trouble of a session that gave way to another: none, for nothing was lost."""

PEER_CLOSED: Final = "peer-closed"
"""The trouble of a session that the peer closed for what it alone knows: its own words follow."""

TROUBLE_OF_CLOSE: Final = {
    "stopped": "peer-stopped",
    "halted": "peer-halted",
    "revoked": "peer-revoked",
    "superseded": TURNED_AWAY,
    "failed": "peer-not-accepting",
}
"""What a close frame's code means for a line that is left without a session."""

_NOBODY: Final = frozenset({"refused", "unreachable", "timed-out"})

EXPLAINS: Final = {
    "peer-stopped": _NOBODY,
    "peer-halted": _NOBODY,
    "peer-not-accepting": _NOBODY,
    "peer-revoked": _NOBODY | {"no-answer"},
}
"""What a peer said last, and what follows from it for later calls: its own word stays the reason.

What something else says or does in its place is news.
"""


class Facts(NamedTuple):
    """What is known of a line at one instant; times are monotonic seconds."""

    now: float
    halt: Halt | None
    standing: bool
    """Whether a session stands, both hellos exchanged."""
    trouble: str
    """Why no session stands: a key of REASONS."""
    heard_at: float = 0.0
    proven_at: float = 0.0
    interval_s: float = 0.0
    peer_interval_s: float = 0.0
    kernel_took_all: bool | None = None
    """Whether the peer's kernel has acknowledged all we sent; None if that cannot be known."""
    accepting: bool = True
    peer_accepting: bool = True
    peer_attended: bool = True
    waiting_since: float | None = None
    """Since when our oldest entry in flight has waited for a receipt."""
    recovery: str = ""
    """A word of REASONS while either store is getting back what it has lost."""


class Assessment(NamedTuple):
    """A line's state with its reason: a stable word, and a sentence for a person."""

    state: LineState
    reason: str
    detail: str


def silence_limits(facts_interval_s: float, peer_interval_s: float) -> tuple[float, float]:
    """Give the seconds of silence after which a line is degraded, and down."""
    interval_s = max(facts_interval_s, peer_interval_s)
    return MISSED_DEGRADED * interval_s, MISSED_DOWN * interval_s


def assess(facts: Facts) -> Assessment:
    """Say how the line stands."""
    if facts.halt is not None:
        return Assessment(LineState.HALTED, facts.halt.code, facts.halt.text)
    if not facts.standing:
        return _because(LineState.DOWN, facts.trouble, facts)
    # Sums of times, not differences: rounded as in next_change, so what is due then is seen then.
    degraded_s, down_s = silence_limits(facts.interval_s, facts.peer_interval_s)
    if facts.now >= facts.heard_at + degraded_s:
        down = facts.now >= facts.heard_at + down_s
        return _because(LineState.DOWN if down else LineState.DEGRADED, _silent(facts), facts)
    if facts.now >= facts.proven_at + down_s + facts.peer_interval_s:
        return _because(LineState.DEGRADED, "one-way", facts)
    blemish = _blemish(facts)
    if blemish:
        return _because(LineState.DEGRADED, blemish, facts)
    return _because(LineState.UP, "proven" if facts.peer_attended else "unattended", facts)


def _blemish(facts: Facts) -> str:
    """Give why a line whose heartbeats go both ways still does not deliver, or nothing."""
    if facts.recovery:
        return facts.recovery
    if not facts.accepting:
        return "not-accepting"
    if not facts.peer_accepting:
        return "peer-not-accepting"
    if facts.waiting_since is not None and facts.now >= facts.waiting_since + NO_PROGRESS_S:
        return "no-receipts"
    return ""


def _silent(facts: Facts) -> str:
    if facts.kernel_took_all is None:
        return "heartbeats-missed"
    return "peer-stalled" if facts.kernel_took_all else "network-silent"


def _because(state: LineState, reason: str, facts: Facts) -> Assessment:
    waiting_s = facts.now - facts.waiting_since if facts.waiting_since is not None else 0.0
    detail = REASONS[reason].format(
        silence_s=facts.now - facts.heard_at,
        unproven_s=facts.now - facts.proven_at,
        waiting_s=waiting_s,
    )
    return Assessment(state, reason, detail)


def next_change(facts: Facts) -> float | None:
    """Give when, without news, the assessment would next be different; None if never."""
    if facts.halt is not None or not facts.standing:
        return None
    degraded_s, down_s = silence_limits(facts.interval_s, facts.peer_interval_s)
    times = [
        facts.heard_at + degraded_s,
        facts.heard_at + down_s,
        facts.proven_at + down_s + facts.peer_interval_s,
    ]
    if facts.waiting_since is not None:
        times.append(facts.waiting_since + NO_PROGRESS_S)
    return min((time for time in times if time > facts.now), default=None)
