"""Evidence of one message, out of a store: at either station, while its daemon works or not.

What this station signed is taken as it was stored, never signed anew: no secret key is needed.
"""

from __future__ import annotations

from hashlib import sha512
from typing import TYPE_CHECKING, Final, NamedTuple

from hotline.errors import DecodeError, EvidenceError
from hotline.evidence.excerpt import Excerpt, ReceiptOver
from hotline.evidence.proof import Evidence
from hotline.limits import CHAIN_ENTRIES, MIB
from hotline.model import Side
from hotline.wire import entries
from hotline.wire.heads import head_zero, next_head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.evidence.signers import Signers
    from hotline.model import Checkpoint, LineRecord
    from hotline.store.interface import History, Reader

_BATCH_ENTRIES: Final = 2048
_BATCH_BYTES: Final = 4 * MIB


class _Log(NamedTuple):
    """One side's log in the store, and the empty head that it begins with."""

    history: History
    line: int
    side: Side
    zero: bytes


def export(
    reader: Reader, record: LineRecord, own: Signers, peer: Signers, side: Side, identifier: str
) -> Evidence:
    """Give the evidence for a message of ours (side OWN) or of the peer's, as this store has it.

    Raises EvidenceError if the message is not in the log, or the log is not as it was signed.
    """
    writer, other = (own, peer) if side is Side.OWN else (peer, own)
    history = reader.history()
    back = Side.PEER if side is Side.OWN else Side.OWN
    sent = _log(history, record.line, side, writer, other)
    replies = _log(history, record.line, back, other, writer)
    carriers = history.carriers(record.line, side, identifier)
    if not carriers:
        raise EvidenceError(
            f"message {identifier} is not in the log: nothing of it has been signed",
            hint=f"see: hotline show {identifier}",
        )
    answers = _answers(replies, identifier, carriers[-1])
    checkpoints = {signer: _covering(sent, signer, carriers, answers) for signer in (side, back)}
    found = [one for one in checkpoints.values() if one is not None]
    return Evidence(
        writer,
        other,
        _changes(sent, writer),
        _changes(replies, other),
        _excerpt(sent, carriers, found),
        _excerpt(replies, answers, found) if answers else None,
        checkpoints[side],
        checkpoints[back],
    )


def _log(history: History, line: int, side: Side, writer: Signers, reader: Signers) -> _Log:
    return _Log(history, line, side, head_zero(writer.founding.id, reader.founding.id))


def _answers(log: _Log, identifier: str, number: int) -> list[int]:
    """Give the entries of a log that acknowledge the message at number of the other one."""
    found = []
    for at in log.history.answers(log.line, log.side, identifier):
        [row] = log.history.entries(log.line, log.side, at, 1, 0)
        try:
            entry = entries.decode(row.data)
        except DecodeError:
            continue
        if isinstance(entry, entries.Acknowledgement) and entry.message_id == identifier:
            found += [at] if entry.number == number else []
    return found


def _covering(
    sent: _Log, signer: Side, carriers: Sequence[int], answers: Sequence[int]
) -> Checkpoint | None:
    """Give signer's first checkpoint over message and answer, or else over the message alone."""
    wanted = [(carriers[-1], answers[-1])] if answers else []
    for message, answer in [*wanted, (carriers[-1], 0)]:
        own, peer = (message, answer) if signer is sent.side else (answer, message)
        found = sent.history.covering(sent.line, signer, own, peer)
        if found is None:
            continue
        reaches = (found.own if signer is sent.side else found.peer).number
        if reaches - carriers[0] < CHAIN_ENTRIES:
            return found
    return None


def _changes(log: _Log, writer: Signers) -> tuple[Excerpt, ...]:
    """Show where the writer's keys changed, each up to the next head that is signed.

    (There may be more cards than places: those that only files name so far.)
    """
    found = []
    for number, card in zip(writer.numbers, writer.cards[1:], strict=False):
        numbers = _parts(log, number, entries.key_change_id(card.id))
        found.append(_excerpt(log, numbers, (), receipts=False))
    return tuple(found)


def _parts(log: _Log, last: int, identifier: str) -> list[int]:
    """Give the entries that carry a key change, back from the one that ends it."""
    numbers: list[int] = []
    for at in range(last, max(0, last - CHAIN_ENTRIES), -1):
        rows = log.history.entries(log.line, log.side, at, 1, 0)
        try:
            entry = entries.decode(rows[0].data) if rows else None
        except DecodeError:
            continue
        if isinstance(entry, entries.Part) and entry.id == identifier:
            numbers.insert(0, at)
            if entry.offset == 0:
                return numbers
    raise EvidenceError(f"the key change at entry {last} is not whole", hint="hotline log verify")


def _excerpt(
    log: _Log, numbers: Sequence[int], checkpoints: Sequence[Checkpoint], *, receipts: bool = True
) -> Excerpt:
    first, shown = numbers[0], numbers[-1]
    most_last = first + CHAIN_ENTRIES - 1
    signatures = log.history.signatures(log.line, log.side, shown, most_last, 1)
    if not signatures:
        raise EvidenceError(f"no signature covers entry {shown} within {CHAIN_ENTRIES} entries")
    signed, signature = signatures[0]
    receipt = None
    if log.side is Side.OWN and receipts:
        for one in log.history.receipts(log.line, shown, most_last, 1):
            receipt = ReceiptOver(one.number, one.time_ns, one.signature)
    last = max(signed, receipt.number if receipt else 0)
    for checkpoint in checkpoints:
        for place in (checkpoint.own, checkpoint.peer):
            if shown <= place.number <= most_last and _is_of(log, place.number, place.head):
                last = max(last, place.number)
    before, hashes, data = _chain(log, first, last, frozenset(numbers))
    return Excerpt(first, before, hashes, tuple(numbers), data, signed, signature, receipt)


def _is_of(log: _Log, number: int, head: bytes) -> bool:
    """Tell whether a head is this log's at number: a checkpoint holds one of each log."""
    return log.history.head(log.line, log.side, number) == head


def _chain(
    log: _Log, first: int, last: int, shown: frozenset[int]
) -> tuple[bytes, bytes, tuple[bytes, ...]]:
    """Give the head before first, the hashes of first to last, and the entries shown."""
    before = log.zero if first == 1 else log.history.head(log.line, log.side, first - 1)
    if before is None:
        raise EvidenceError(f"entry {first - 1} of the log is missing", hint="hotline log verify")
    head, number = before, first
    hashes = bytearray()
    data = []
    while number <= last:
        most = min(_BATCH_ENTRIES, last - number + 1)
        rows = log.history.entries(log.line, log.side, number, most, _BATCH_BYTES)
        for row in rows:
            head = next_head(head, row.data)
            if row.number != number or row.head != head:
                raise EvidenceError(f"entry {number} is damaged", hint="hotline log verify")
            hashes += sha512(row.data).digest()
            if number in shown:
                data.append(row.data)
            number += 1
        if not rows:
            raise EvidenceError(f"entry {number} of the log is missing", hint="hotline log verify")
    return before, bytes(hashes), tuple(data)
