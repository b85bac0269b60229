"""The connections of one line: dialling, which session stands, renewal, and letting old ones go.

Make before break: a new session is adopted when both hellos have come over it, and only then is the
old one closed. Which of two sessions stays is decided by one station, the arbiter (the smaller
station id), so that both cannot decide differently:

- made at nearly the same time by different stations: the arbiter's own stays;
- otherwise the newer stays, for whoever made it believed the older one dead, or due for renewal.

The arbiter says no by closing the new session instead of saying hello on it. Where it says yes twice
in a row, the number of the choice in its hello tells which yes is the later one: the two hellos come
over two connections, and may arrive in either order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hotline.errors import ProtocolError
from hotline.limits import (
    DIAL_TIMEOUT_S,
    HANDSHAKE_TIMEOUT_S,
    IN_FLIGHT_BYTES,
    LINKS_PER_LINE,
    RENEW_GRACE_S,
    RETIRE_S,
    SESSION_S,
    SIMULTANEOUS_S,
    UNIT_BYTES,
)
from hotline.line.agreement import Floor
from hotline.wire.frames import Entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.line.backoff import Backoff
    from hotline.line.session import Session
    from hotline.wire.frames import OfSession


_ENTRY_COST_BYTES: Final = 64
"""What an entry takes in memory beside its bytes."""


@dataclass(slots=True)
class Link:
    """One connection; ``session`` is None while TCP is still connecting.

    ``deadline`` ends what is not yet agreed, or what is only kept to retire.
    """

    conn: int
    dialled: bool
    address: str
    deadline: float | None
    session: Session | None = None
    opened_at: float | None = None
    floor: Floor = field(default_factory=lambda: Floor(0, 0))
    hello_taken: bool = False
    agreed: bool = False
    choice: int = 0
    asking: bool = False
    """Whether our hello said that this station recovers, and will ask for its log."""
    early: list[OfSession] = field(default_factory=list)
    """What came between the peer's hello and our agreement to it."""
    early_bytes: int = 0
    outdated_at: float | None = None
    """When it came due before its hour: its identities were succeeded, or its records run out."""
    trouble: str = "session-lost"
    """Why it is given up, if it is while it stands: a word of liveness.REASONS."""

    def give_up(self, trouble: str) -> bool:
        """Have the next wake let it go, which is due at once; tells whether that is news."""
        is_news = self.deadline != 0.0
        if is_news:
            self.deadline, self.trouble = 0.0, trouble
        return is_news

    def keep_early(self, frame: OfSession) -> None:
        """The peer has agreed to this session before our own store could answer."""
        self.early_bytes += UNIT_BYTES
        if isinstance(frame, Entries):
            self.early_bytes += frame.size_bytes + len(frame.entries) * _ENTRY_COST_BYTES
        if self.early_bytes > 4 * IN_FLIGHT_BYTES:
            raise ProtocolError("too much came before the session was agreed")
        self.early.append(frame)


class Links:
    """All connections of one line, and when to dial the next."""

    def __init__(self, addresses: Sequence[str], backoff: Backoff, *, arbiter: bool) -> None:
        """Stand alone: no connection, the first dial due at once."""
        self.addresses = tuple(addresses)
        self.by_conn: dict[int, Link] = {}
        self.current: Link | None = None
        self.next_dial_at = 0.0
        self._backoff = backoff
        self._arbiter = arbiter
        self._next_conn = 1
        self._chosen: Link | None = None
        self._choices = 0
        self._next_address = 0

    @property
    def attempts(self) -> int:
        """Rounds of dialling that failed since the last contact: see ``contact``."""
        return self._backoff.attempts

    @property
    def dialling(self) -> Link | None:
        """The connection that we are making now, up to its agreement."""
        return next(
            (link for link in self.by_conn.values() if link.dialled and not link.agreed), None
        )

    # --- dialling ---

    def dial(self, now: float) -> Link:
        """Begin a connection to the next address."""
        address = self.addresses[self._next_address]
        return self._add(dialled=True, address=address, deadline=now + DIAL_TIMEOUT_S)

    def surplus(self) -> Link | None:
        """Give the connection that should yield before another caller is answered, if any.

        Whoever replays what a peer once sent to a station that was away, or a peer gone mad, may
        make many; the oldest yields, and a genuine one is agreed long before it could be that.
        """
        if len(self.by_conn) < LINKS_PER_LINE:
            return None
        return next(link for link in self.by_conn.values() if link is not self.current)

    def answer(self, now: float, address: str) -> Link:
        """Begin with a connection that came in."""
        return self._add(dialled=False, address=address, deadline=now + HANDSHAKE_TIMEOUT_S)

    def _add(self, *, dialled: bool, address: str, deadline: float) -> Link:
        link = Link(self._next_conn, dialled, address, deadline)
        self._next_conn += 1
        self.by_conn[link.conn] = link
        return link

    def failed(self, now: float, *, stood: bool) -> None:
        """Count a dial that came to nothing: the next address at once, a pause after the last.

        And a pause after a session that stood: two stations that agree, and part again, would dial each
        other without one for as long as there is another address.
        """
        self._next_address += 1
        is_last = self._next_address >= len(self.addresses)
        if is_last:
            self._next_address = 0
        self.next_dial_at = now + self._backoff.failed() if is_last or stood else now

    def contact(self) -> None:
        """Start over with short pauses: should be called when the peer has agreed to a session.

        Its first heartbeat says so; an operator's retry counts as much. (Not as soon as a handshake
        succeeds: two stations that connect and then disagree would dial each other several times a
        second for ever.)
        """
        self._backoff.contact()

    def set_addresses(self, addresses: Sequence[str], now: float) -> None:
        """Take a new list of addresses; what stands is kept."""
        if tuple(addresses) != self.addresses:
            self.addresses = tuple(addresses)
            self._next_address = 0
            self.next_dial_at = now

    def should_dial(self, now: float) -> bool:
        """Tell whether a connection should be made now."""
        self.check(now)
        due = self.dial_due_at()
        return due is not None and now >= due

    def dial_due_at(self) -> float | None:
        """Give when the next connection should be made; None while there is no reason to."""
        if not self.addresses or self.dialling is not None:
            return None
        if self.current is None:
            return self.next_dial_at
        return max(self._renewal_due_at(self.current), self.next_dial_at)

    def _renewal_due_at(self, link: Link) -> float:
        due_at = SESSION_S + (link.opened_at if link.opened_at is not None else 0.0)
        if link.outdated_at is not None:
            due_at = min(due_at, link.outdated_at)
        return due_at if link.dialled else due_at + RENEW_GRACE_S

    def check(self, now: float) -> None:
        """Note when the session that stands begins to run out; should be called after anything.

        Whoever did not dial it waits from then on, and gives the other the time to renew it.
        """
        current = self.current
        if current is None or current.outdated_at is not None:
            return
        if current.session is not None and current.session.wants_renewal:
            current.outdated_at = now

    # --- which session stands ---

    def opened(self, link: Link, now: float) -> bool:
        """Note that both attestations verified; tells whether to say hello (False: turn it away)."""
        link.opened_at = now
        link.deadline = now + HANDSHAKE_TIMEOUT_S
        if not self._arbiter:
            return True
        if self._older_stays(link, now):
            return False
        self._choices += 1
        link.choice = self._choices
        self._chosen = link
        return True

    def _older_stays(self, link: Link, now: float) -> bool:
        older = self._chosen
        return (
            older is not None
            and older.conn in self.by_conn
            and older.opened_at is not None
            and older.dialled
            and not link.dialled
            and now - older.opened_at < SIMULTANEOUS_S
        )

    def is_outdated(self, link: Link, now: float) -> bool:
        """Tell whether the arbiter chose another session after this one, already agreed here.

        Only for sessions made at nearly the same time: an arbiter that was restarted counts anew.
        """
        current = self.current
        return (
            current is not None
            and current.opened_at is not None
            and link.choice < current.choice
            and now - current.opened_at < SIMULTANEOUS_S
        )

    def adopt(self, link: Link, now: float) -> None:
        """Let link carry the line from now on; what it replaces may stay for a while."""
        link.deadline = None
        link.agreed = True
        self.current = link
        self.next_dial_at = now
        self._next_address = 0
        for other in self.by_conn.values():
            if other is not link:
                other.deadline = min(other.deadline or now + RETIRE_S, now + RETIRE_S)

    def replaced(self) -> list[Link]:
        """Give the links that the arbiter closes, now that both sides use the current one."""
        if not self._arbiter:
            return []
        return [link for link in self.by_conn.values() if link is not self.current]

    def drop(self, link: Link) -> None:
        """Forget a connection."""
        self.by_conn.pop(link.conn, None)
        if self.current is link:
            self.current = None

    def overdue(self, now: float) -> list[Link]:
        """Give the links whose deadline has passed."""
        return [
            link
            for link in self.by_conn.values()
            if link.deadline is not None and now >= link.deadline
        ]

    def next_deadline(self, *, may_dial: bool) -> float | None:
        """Give the earliest time at which a link is due, or a dial if one may be made."""
        times = [link.deadline for link in self.by_conn.values() if link.deadline is not None]
        due = self.dial_due_at()
        if may_dial and due is not None:
            times.append(due)
        return min(times, default=None)
