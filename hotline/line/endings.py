"""How connections end: what is said to the peer, and what the line's state says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hotline import limits
from hotline.line.effects import Hangup
from hotline.line.liveness import PEER_CLOSED, TROUBLE_OF_CLOSE, TURNED_AWAY
from hotline.text import utc
from hotline.wire import frames

if TYPE_CHECKING:
    from hotline.errors import RemoteError
    from hotline.line.context import Context
    from hotline.line.links import Link, Links
    from hotline.line.moment import Moment
    from hotline.line.recovery import Recovery
    from hotline.line.vitals import Vitals


class Endings:
    """Lets connections go, each in the way that its end came about."""

    def __init__(self, context: Context, links: Links, recovery: Recovery, vitals: Vitals) -> None:
        """Tell links, recovery (and with it sending) and vitals of every end."""
        self._context = context
        self._links = links
        self._recovery = recovery
        self._vitals = vitals

    def lose(self, link: Link, trouble: str, detail: str, moment: Moment) -> None:
        """Let a connection go, and say why if no session stands now."""
        stood = link is self._links.current
        if stood:
            self._recovery.session_ended(moment.now)
        self._links.drop(link)
        farewell = link.session.last_words() if link.session is not None else b""
        self._context.effects.append(Hangup(link.conn, farewell))
        if link.dialled and link.session is not None and link.opened_at is None:
            self._context.pairing.call_failed()
        # A caller that never proved itself changes neither what we say nor when we dial.
        proven = link.dialled or link.opened_at is not None
        if stood or (self._links.current is None and proven and trouble != TURNED_AWAY):
            self._vitals.session_lost(trouble, detail)
        # A session that was replaced has done its work: its end is no call that failed.
        if stood or (link.dialled and not link.agreed):
            self._links.failed(moment.now, stood=stood)

    def close(
        self, link: Link, code: str, reason: str, moment: Moment, trouble: str = "session-lost"
    ) -> None:
        """Say goodbye where that is possible, and let the connection go."""
        if link.session is not None and link.session.is_open:
            text = reason.encode()[: limits.REASON_BYTES].decode(errors="ignore")
            link.session.push(frames.Close(code, text))
        self.lose(link, trouble, "", moment)

    def close_all(
        self, code: str, reason: str, moment: Moment, *, trouble: str = "stopped"
    ) -> None:
        """Say goodbye on every connection of the line."""
        for link in list(self._links.by_conn.values()):
            self.close(link, code, reason, moment, trouble)

    def goodbye(self, moment: Moment, *, reconfigured: bool) -> None:
        """The daemon stops; or this line alone, for it was changed or removed in the configuration."""
        if reconfigured:
            words = "the station goes on: this line was changed or removed in its configuration"
            self.close_all("stopped", words, moment, trouble="reconfigured")
        else:
            self.close_all("stopped", "the station stops", moment)

    def peer_closed(self, link: Link, close: frames.Close, moment: Moment) -> None:
        """The peer said goodbye."""
        self._context.report("session_closed", conn=link.conn, code=close.code, why=close.reason)
        trouble = TROUBLE_OF_CLOSE.get(close.code, PEER_CLOSED)
        if link is self._links.current and trouble == TURNED_AWAY:
            trouble = PEER_CLOSED  # it speaks of another session, and none stands here
        # Quoted: what it calls the peer is this station, and its "we" is not ours.
        code = f"{close.code}, " if trouble == PEER_CLOSED else ""
        said = f'it says "{close.reason}" ({utc(moment.wall_ns)})'
        self.lose(link, trouble, code + said, moment)

    def cut(self, link: Link, trouble: str, moment: Moment) -> None:
        """The stream ended without a close: ``truncated`` or ``session-lost``."""
        if link.opened_at is not None:
            self._context.report("session_cut", level="warning", conn=link.conn, how=trouble)
            self.lose(link, trouble, "", moment)
        elif link.dialled:
            how = "was closed" if trouble == "truncated" else "broke"
            self._unanswered(link, f"the connection {how}", moment)
        else:
            self.lose(link, "no-answer", "", moment)

    def _unanswered(self, link: Link, how: str, moment: Moment) -> None:
        """A connection that we made has ended before the peer's attestation verified."""
        came = link.session.answered if link.session is not None else ""
        why = f"{came or 'nothing came'}, and {how}"
        trouble = "handshake-failed" if came else "no-answer"
        self._context.report("dial_failed", address=link.address, reason=trouble, why=why)
        self.lose(link, trouble, why if came else "", moment)

    def dial_lost(self, link: Link, trouble: str, detail: str, moment: Moment) -> None:
        """A dial came to nothing; trouble is a word of liveness.REASONS."""
        self._context.report("dial_failed", address=link.address, reason=trouble, why=detail)
        # The last one may have been taken away meanwhile: there will be no other.
        self.lose(link, trouble if self._links.addresses else "no-address", "", moment)

    def overdue(self, link: Link, moment: Moment) -> None:
        """A connection has not come as far as it should have by its deadline, or is given up."""
        if link.session is None:
            why = f"no connection within {limits.DIAL_TIMEOUT_S:.0f} s"
            self.dial_lost(link, "timed-out", why, moment)
        elif link.opened_at is None and link.dialled:
            how = f"no more within {limits.HANDSHAKE_TIMEOUT_S:.0f} s"
            self._unanswered(link, how, moment)
        elif link.opened_at is None:
            self.lose(link, "no-answer", "", moment)
        elif link is self._links.current:  # what was found about it has been told
            self.lose(link, link.trouble, "", moment)
        elif link.agreed:
            self.close(link, "superseded", "another session took its place", moment, TURNED_AWAY)
        else:
            self._not_agreed(link, moment)

    def _not_agreed(self, link: Link, moment: Moment) -> None:
        """Both attestations came, and then a hello did not, or our own disk's word on it."""
        within = f"within {limits.HANDSHAKE_TIMEOUT_S:.0f} s"
        if link.hello_taken:
            words = f"this station's disk did not answer {within}"
            self.close(link, "superseded", words, moment, "not-accepting")
            return
        self._context.report("session_silent", level="warning", conn=link.conn, reason="no-hello")
        self.close(link, "superseded", f"no hello came {within}", moment, "no-hello")

    def broke(self, link: Link, error: RemoteError, moment: Moment) -> None:
        """The other end broke a rule: end the session without a word."""
        self._context.report(
            "session_failed",
            # Of callers that never proved themselves there may be any number: the listener counts them.
            level="warning" if link.dialled or link.opened_at is not None else "debug",
            conn=link.conn,
            error=type(error).__name__,
            why=str(error),
        )
        trouble = "handshake-failed" if link.opened_at is None else "protocol-error"
        self.lose(link, trouble, str(error), moment)
