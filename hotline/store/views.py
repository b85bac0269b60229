"""A message as an operator sees it: the stable field names of the outer contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from hotline.model import Kind, Side, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotline.errors import StoreDamagedError
    from hotline.model import Decision, Incoming, Precedence
    from hotline.wire.entries import Message


class MessageView(NamedTuple):
    """One message of either direction; times are UNIX nanoseconds by this station's clock.

    (``composed_ns`` is by its author's clock, ``acknowledged_ns`` by the answering operator's.)
    ``number`` is the log number of its last entry, None while it is not wholly sealed. ``row`` is
    the store's own order, used as a cursor. ``state`` of an incoming message is ``delivered``, or
    ``acknowledged`` once one of our operators has answered.
    """

    row: int
    id: str
    line: str
    side: Side
    kind: Kind
    number: int | None
    precedence: Precedence
    author: str
    subject: str
    body: str
    composed_ns: int
    ack_by_ns: int | None
    expires_ns: int | None
    sent_ns: int | None
    delivered_ns: int | None
    received_ns: int | None
    acknowledged_ns: int | None
    acknowledged_by: str | None
    decision: Decision | None
    note: str | None
    state: State
    attempts: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """A message that cannot be shown: where it stands, and what is known of it, as far as it is."""

    row: int
    id: str | None
    line: str | None
    side: Side | None
    error: StoreDamagedError


if TYPE_CHECKING:
    Pass = Callable[[Damaged], None]
    """Is told of what is passed over."""


class Arrival(NamedTuple):
    """A message that has just come, from which its view can be made without asking the store.

    A view costs fifteen times as much to make, and the store's thread has no time for it.
    """

    row: int
    line: str
    incoming: Incoming
    said: Message

    @property
    def id(self) -> str:
        """The message's id."""
        return self.incoming.id

    def view(self) -> MessageView:
        """Give what the store will give."""
        return MessageView(
            row=self.row,
            id=self.incoming.id,
            line=self.line,
            side=Side.PEER,
            kind=Kind.MESSAGE,
            number=self.incoming.number,
            precedence=self.incoming.precedence,
            author=self.said.author,
            subject=self.said.subject,
            body=self.said.body,
            composed_ns=self.said.composed_ns,
            ack_by_ns=self.said.ack_by_ns,
            expires_ns=None,
            sent_ns=None,
            delivered_ns=None,
            received_ns=self.incoming.received_ns,
            acknowledged_ns=None,
            acknowledged_by=None,
            decision=None,
            note=None,
            state=State.DELIVERED,
            attempts=0,
        )
