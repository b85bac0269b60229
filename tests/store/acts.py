"""What the line does to a store, in its plainest form: accept, seal, receive, take a receipt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from hotline.limits import MIB
from hotline.model import (
    Incoming,
    Kind,
    LogEntry,
    Outgoing,
    Position,
    Precedence,
    Queued,
    Queueing,
    Receipt,
    Side,
)
from hotline.wire.entries import Message, Part, encode
from hotline.wire.heads import next_head

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hotline.store.interface import Store, Transaction
    from hotline.store.views import MessageView

T = TypeVar("T")

OWN_ID: Final = bytes(range(32))
PEER_ID: Final = bytes(range(32, 64))
CHUNK_BYTES: Final = 4096


def content(
    identifier: str, body: str = "hello", precedence: Precedence = Precedence.ROUTINE
) -> bytes:
    """Spell a message."""
    return encode(Message(identifier, precedence, 1000, None, "watch", "", body))


def outgoing(
    identifier: str,
    body: str = "hello",
    precedence: Precedence = Precedence.ROUTINE,
    expires_ns: int | None = None,
) -> Outgoing:
    """Make what an operator has asked to be sent."""
    data = content(identifier, body, precedence)
    return Outgoing(identifier, Kind.MESSAGE, precedence, data, b"digest", 2000, expires_ns)


def do(store: Store, work: Callable[[Transaction], T]) -> T:
    """Run one work; raise what it raised."""
    [result] = store.transact([work])
    if isinstance(result, Exception):
        raise result
    return result


def enqueue(store: Store, line: int, *messages: Outgoing) -> None:
    """Accept messages."""
    do(store, lambda tx: tx.enqueue(line, messages))


def queued(store: Store, line: int, most: int = 100, most_bytes: int = MIB) -> list[Queued]:
    """Look at the queue."""
    return do(store, lambda tx: tx.queued(line, most, most_bytes))


def append(
    tx: Transaction,
    line: int,
    side: Side,
    data: Sequence[bytes],
    messages: int = 1,
    rows: Sequence[Queued] = (),
) -> int:
    """Append entries of ``messages`` messages each to a log; gives the last one's number.

    ``rows`` are those of the queue whose content the first entries are.
    """
    record = tx.line(line)
    end = record.own if side is Side.OWN else record.peer
    count = tx.messages_until(line, side, end.number)
    entries = []
    for piece in data:
        count += messages
        end = Position(end.number + 1, next_head(end.head, piece))
        entries.append(LogEntry(end.number, end.head, piece, count))
    numbers = [entry.number for entry in entries]
    tx.append(
        line, side, entries, {number: row.row for number, row in zip(numbers, rows, strict=False)}
    )
    tx.put_line(replace(record, own=end) if side is Side.OWN else replace(record, peer=end))
    return end.number


def seal(store: Store, line: int, most: int = 100, at_ns: int = 3000) -> list[str]:
    """Seal whole messages from the queue's front and sign their last head; gives their ids."""

    def work(tx: Transaction) -> list[str]:
        rows = tx.queued(line, most, MIB)
        first = tx.line(line).own.number + 1
        last = append(tx, line, Side.OWN, [row.content for row in rows], rows=rows)
        tx.seal(line, [(row.row, number) for number, row in enumerate(rows, start=first)])
        tx.put_signature(line, Side.OWN, first, last, b"s" * 64, at_ns)
        return [row.id for row in rows]

    return do(store, work)


def send(store: Store, line: int, *messages: Outgoing, at_ns: int = 3000) -> None:
    """Accept messages that go straight to the log, and sign its last head."""

    def work(tx: Transaction) -> None:
        first = tx.line(line).own.number + 1
        last = append(tx, line, Side.OWN, [message.content for message in messages])
        tx.add_sealed(line, list(enumerate(messages, start=first)))
        tx.put_signature(line, Side.OWN, first, last, b"s" * 64, at_ns)

    do(store, work)


def pieces(row: Queued) -> list[Part]:
    """Cut a long message."""
    return [
        Part(row.id, row.precedence, at, len(row.content), row.content[at : at + CHUNK_BYTES])
        for at in range(0, len(row.content), CHUNK_BYTES)
    ]


def seal_part(store: Store, line: int) -> bool:
    """Seal one part of the queue's first message; tells whether that was its last."""

    def work(tx: Transaction) -> bool:
        [row] = tx.queued(line, 1, MIB)
        part = next(part for part in pieces(row) if part.offset == row.sealed_bytes)
        sealed_bytes = part.offset + len(part.chunk)
        completed = sealed_bytes == len(row.content)
        number = append(tx, line, Side.OWN, [encode(part)], messages=int(completed))
        tx.seal_part(line, row.row, number, sealed_bytes)
        if completed:
            tx.seal(line, [(row.row, number)], [row.row])
        return completed

    return do(store, work)


def receive(store: Store, line: int, *ids: str, body: str = "hello") -> None:
    """Take messages of the peer's."""

    def work(tx: Transaction) -> None:
        first = tx.line(line).peer.number + 1
        append(tx, line, Side.PEER, [content(identifier, body) for identifier in ids])
        tx.receive(
            line,
            [
                Incoming(identifier, Kind.MESSAGE, Precedence.ROUTINE, number, 4000)
                for number, identifier in enumerate(ids, start=first)
            ],
        )

    do(store, work)


def take_receipt(store: Store, line: int, number: int, at_ns: int = 5000) -> None:
    """Take the peer's receipt over our log up to number."""

    def work(tx: Transaction) -> None:
        receipt = Receipt(number, tx.head(line, Side.OWN, number) or b"", 6000, b"r" * 64)
        tx.put_receipt(line, receipt, at_ns)
        tx.put_line(replace(tx.line(line), receipt=receipt))

    do(store, work)


def sign(store: Store, line: int, last: int, at_ns: int) -> None:
    """Keep one more signature over our log up to last."""
    do(store, lambda tx: tx.put_signature(line, Side.OWN, 1, last, b"t" * 64, at_ns))


def resume(store: Store, line: int, after: int, upto: int) -> None:
    """Note that entries went out once more."""
    do(store, lambda tx: tx.put_resumption(line, after, upto))


def withdraw(store: Store, queueing: Queueing, *rows: int) -> None:
    """Take rows from the queue."""
    do(store, lambda tx: tx.set_queueing(rows, queueing))


def is_waiting(store: Store, line: int, identifier: str) -> bool:
    """Tell whether a message is wholly queued."""
    return do(store, lambda tx: tx.waiting(line, identifier)) is not None


def find(store: Store, line: int, side: Side, identifier: str) -> MessageView:
    """Give a message that is there."""
    view = do(store, lambda tx: tx.find(line, side, identifier))
    assert view is not None
    return view
