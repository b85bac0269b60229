"""What operators may ask of a line: send, acknowledge, cancel. Each runs inside one transaction.

A request that cannot be done raises RefusedError and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple

from hotline import limits
from hotline.errors import DecodeError, RefusedError
from hotline.model import (
    Acknowledged,
    Decision,
    Kind,
    LineRecord,
    Outgoing,
    Precedence,
    Queued,
    Queueing,
    Side,
    State,
    check_id,
    spelled,
)
from hotline.wire import entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.line.straight import Straight, Way
    from hotline.store.interface import Transaction
    from hotline.store.views import MessageView
    from hotline.wire.frames import Entries

TIME_MAX_NS: Final = 7_258_118_400 * 10**9
"""The year 2200: far enough for any order, and within what a store can hold."""

ACKNOWLEDGEMENT_PREFIX: Final = "ack."
"""Ids of our acknowledgement entries."""

RESERVED_PREFIXES: Final = (ACKNOWLEDGEMENT_PREFIX, entries.KEY_CHANGE_PREFIX)
"""Operators' ids may not start so."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Where a line's queue is full."""

    messages: int = limits.QUEUE_MESSAGES
    size_bytes: int = limits.QUEUE_BYTES


class Draft(NamedTuple):
    """What an operator asks to send; ``is_test`` makes it a line test."""

    id: str
    precedence: Precedence
    subject: str
    body: str
    author: str
    expires_ns: int | None = None
    ack_by_ns: int | None = None
    is_test: bool = False


def compose(draft: Draft, accepted_ns: int) -> Outgoing:
    """Encode what an operator asks to send; raises RefusedError if it is malformed or too large."""
    if not check_id(draft.id) or draft.id.startswith(RESERVED_PREFIXES):
        raise RefusedError(
            "bad-request",
            "a message id is 1 to 64 letters, digits, dots, dashes and underscores, "
            f"starts with a letter or digit, and not with {' or '.join(map(repr, RESERVED_PREFIXES))}",
        )
    if draft.expires_ns is not None and draft.expires_ns <= accepted_ns:
        raise RefusedError("bad-request", "the message would expire before it is queued")
    if (draft.expires_ns or 0) > TIME_MAX_NS or (draft.ack_by_ns or 0) > TIME_MAX_NS:
        raise RefusedError("bad-request", "a time after the year 2200 is no time to act by")
    kind = Kind.TEST if draft.is_test else Kind.MESSAGE
    try:
        content = entries.encode(_entry(draft, accepted_ns))
    except DecodeError as error:
        raise RefusedError("too-large", f"the message cannot be sent: {error}") from None
    except UnicodeEncodeError:
        raise RefusedError("bad-request", "the message is not valid Unicode text") from None
    return Outgoing(
        id=draft.id,
        kind=kind,
        precedence=draft.precedence,
        content=content,
        digest=digest(kind, draft.precedence, draft.subject, draft.body),
        accepted_ns=accepted_ns,
        expires_ns=draft.expires_ns,
    )


def compose_all(
    ids: Sequence[str],
    precedences: Sequence[Precedence],
    subjects: Sequence[str],
    bodies: Sequence[str],
    author: str,
    accepted_ns: int,
) -> list[Outgoing] | None:
    """Do what ``compose`` does, for messages that never expire, all at once.

    None if anything is wrong with any of them: ``compose`` then says what.
    """
    if any(map(str.startswith, ids, repeat(RESERVED_PREFIXES))):
        return None
    contents = entries.encode_messages(ids, precedences, accepted_ns, author, subjects, bodies)
    if contents is None:
        return None
    asked = map(digest, repeat(Kind.MESSAGE), precedences, subjects, bodies)
    kinds, times = repeat(Kind.MESSAGE), repeat(accepted_ns)
    return list(map(Outgoing, ids, kinds, precedences, contents, asked, times))


def digest(kind: Kind, precedence: Precedence, subject: str = "", body: str = "") -> bytes:
    """Give 16 bytes that tell a repeated request from another one under the same id.

    Times are no part of it: "in two hours" is another one each time that it is said.
    """
    # The length before the subject, so that no other subject and body give the same text.
    asked = f"{_ASKED[kind][precedence]} {len(subject)} {subject}{body}"
    return sha256(asked.encode()).digest()[:16]


_ASKED: Final = [("",) * len(Precedence)] + [
    tuple(f"{kind.name} {int(precedence)}" for precedence in Precedence) for kind in Kind
]
"""How each begins: spelling an enum's name anew for every message costs as much as the hash."""


def _entry(draft: Draft, accepted_ns: int) -> entries.Entry:
    if draft.is_test:
        return entries.Test(draft.id, accepted_ns, draft.author)
    return entries.Message(
        draft.id,
        draft.precedence,
        accepted_ns,
        draft.ack_by_ns,
        draft.author,
        draft.subject,
        draft.body,
    )


class Accepted(NamedTuple):
    """The answer to one message of a request: queued now, or known already."""

    id: str
    repeated: bool


class Acceptance(NamedTuple):
    """The line's numbers after a request, the answer to each of its messages, and what goes out."""

    record: LineRecord
    answers: list[Accepted | RefusedError]
    frame: Entries | None


def accept(
    tx: Transaction,
    line: int,
    messages: Sequence[Outgoing],
    bounds: QueueLimits,
    way: Way | None = None,
) -> Acceptance:
    """Take messages in, in order; each is accepted, recognised, or refused for itself.

    They go straight to the log as far as the way, if there is one, is clear; the rest is queued.
    """
    record = tx.line(line)
    straight = way.open(record) if way is not None else None
    known = tx.digests(line, [message.id for message in messages])
    taken = None
    if straight is None and not known:
        taken = _take_all(tx, record, messages, bounds)
    return taken or _take_each(tx, record, messages, bounds, known, straight)


def _take_each(
    tx: Transaction,
    record: LineRecord,
    messages: Sequence[Outgoing],
    bounds: QueueLimits,
    known: dict[str, bytes],
    straight: Straight | None,
) -> Acceptance:
    answers: list[Accepted | RefusedError] = []
    fresh: list[Outgoing] = []
    count, size_bytes = record.queued, record.queued_bytes
    for message in messages:
        if message.id in known:
            answers.append(_repeated(message, known[message.id]))
            continue
        if straight is None or not straight.takes(message):
            if count >= bounds.messages or size_bytes + len(message.content) > bounds.size_bytes:
                answers.append(_queue_full(record.name, count, size_bytes))
                continue
            fresh.append(message)
            count += message.kind is Kind.MESSAGE
            size_bytes += len(message.content)
        known[message.id] = message.digest
        answers.append(Accepted(message.id, repeated=False))
    frame = None
    if straight is not None:
        if not straight.sign(tx):  # whoever looks into the queue will say what is wrong
            return accept(tx, record.line, messages, bounds)
        straight.store(tx)
        record, frame = straight.record, straight.frame
    if fresh:
        tx.enqueue(record.line, fresh)
        record = replace(record, queued=count, queued_bytes=size_bytes)
    if fresh or frame is not None:
        tx.put_line(record)
    return Acceptance(record, answers, frame)


def _take_all(
    tx: Transaction, record: LineRecord, messages: Sequence[Outgoing], bounds: QueueLimits
) -> Acceptance | None:
    """Queue messages of which none is known, all at once; None if each must be looked at for itself."""
    count = record.queued + len(messages)
    size_bytes = record.queued_bytes + sum(len(message.content) for message in messages)
    ids = {message.id for message in messages}
    if (
        len(ids) < len(messages)
        or count > bounds.messages
        or size_bytes > bounds.size_bytes
        or any(message.kind is not Kind.MESSAGE for message in messages)
    ):
        return None
    tx.enqueue(record.line, messages)
    record = replace(record, queued=count, queued_bytes=size_bytes)
    tx.put_line(record)
    answers: list[Accepted | RefusedError] = [
        Accepted(message.id, repeated=False) for message in messages
    ]
    return Acceptance(record, answers, None)


def _repeated(message: Outgoing, known: bytes) -> Accepted | RefusedError:
    if known == message.digest:
        return Accepted(message.id, repeated=True)
    return RefusedError(
        "id-in-use",
        f"message {message.id} was queued before with other content",
        hint="send it under an id of its own, or leave --id out",
    )


def _queue_full(name: str, count: int, size_bytes: int) -> RefusedError:
    return RefusedError(
        "queue-full",
        f"the queue of line {name} is full: {count} messages, {size_bytes} bytes",
        hint="wait until the line delivers, or cancel what is no longer needed",
    )


def acknowledge(
    tx: Transaction, line: int, identifier: str, answer: Acknowledged
) -> tuple[LineRecord, MessageView]:
    """Answer a received message: an entry of our log tells the peer. Repeating an answer is harmless.

    ``read`` may later become ``wilco`` or ``cannot``; those two are final. A note goes with the first
    answer only: what would not reach the peer is refused.
    """
    record = tx.line(line)
    view = tx.find(line, Side.PEER, identifier)
    if view is None or view.number is None:
        raise _not_found(record.name, identifier, "received")
    if view.decision is not None and not supersedes(answer.decision, view.decision):
        same = answer.decision == view.decision
        if same and answer.note in ("", view.note):
            return record, view
        other = ", with another note" if same else ""
        raise RefusedError(
            "already-acknowledged",
            f"message {identifier} was acknowledged as {spelled(view.decision)} before{other}",
            hint="send a message to say what has changed",
        )
    entry_id = acknowledgement_id(view.number, answer.decision)
    content = entries.encode(
        entries.Acknowledgement(
            entry_id,
            identifier,
            view.number,
            answer.decision,
            answer.at_ns,
            answer.operator,
            answer.note,
        )
    )
    outgoing = Outgoing(
        entry_id,
        Kind.ACKNOWLEDGEMENT,
        view.precedence,
        content,
        digest(Kind.ACKNOWLEDGEMENT, view.precedence),
        answer.at_ns,
    )
    tx.enqueue(line, [outgoing])
    tx.acknowledge(line, Side.PEER, identifier, answer)
    record = replace(
        record,
        queued_bytes=record.queued_bytes + len(content),
        acknowledged_here=record.acknowledged_here + (view.decision is None),
    )
    tx.put_line(record)
    found = tx.find(line, Side.PEER, identifier)
    return record, found if found is not None else view


def acknowledgement_id(number: int, decision: Decision) -> str:
    """Give the id of our answer to the message at number of the peer's log."""
    return f"{ACKNOWLEDGEMENT_PREFIX}{number}.{spelled(decision)}"


def supersedes(new: Decision, old: Decision) -> bool:
    """Tell whether a message acknowledged as old may still be acknowledged as new."""
    return old is Decision.READ and new is not Decision.READ


def cancel(tx: Transaction, line: int, identifier: str) -> tuple[LineRecord, MessageView]:
    """Take a message back while nothing of it has been sealed."""
    record = tx.line(line)
    view = tx.find(line, Side.OWN, identifier)
    if view is None:
        raise _not_found(record.name, identifier, "sent")
    if view.state is State.CANCELLED:
        return record, view
    row = tx.waiting(line, identifier)
    if row is None:
        raise RefusedError(
            "not-queued",
            f"message {identifier} is {view.state} and cannot be cancelled",
            hint="only a message that is still queued can be taken back",
        )
    tx.set_queueing([row.row], Queueing.CANCELLED)
    record = unqueued(record, [row])
    tx.put_line(record)
    return record, view._replace(state=State.CANCELLED)


def expire(tx: Transaction, line: int, now_ns: int, most: int) -> tuple[LineRecord, list[str]]:
    """Take messages whose time has run out from the queue; gives their ids."""
    record = tx.line(line)
    rows = tx.due(line, now_ns, most)
    if rows:
        tx.set_queueing([row.row for row in rows], Queueing.EXPIRED)
        record = unqueued(record, rows)
        tx.put_line(record)
    return record, [row.id for row in rows]


def unqueued(record: LineRecord, rows: Sequence[Queued]) -> LineRecord:
    """Give record without rows in its queue's counts; acknowledgements and tests count bytes only."""
    messages = sum(row.kind is Kind.MESSAGE for row in rows)
    size_bytes = sum(len(row.content) - row.sealed_bytes for row in rows)
    return replace(
        record,
        queued=record.queued - messages,
        queued_bytes=record.queued_bytes - size_bytes,
    )


def _not_found(line: str, identifier: str, what: str) -> RefusedError:
    return RefusedError(
        "not-found",
        f"no message {identifier} was {what} on line {line}",
        hint="see `hotline inbox` and `hotline outbox` for the ids",
    )
