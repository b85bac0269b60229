"""Taking back what a store has lost: the peer holds a copy of our log, under our own signatures.

A station whose log ends before the peer's copy of it (a restored backup, a new disk) must not go on by
itself: it would write a second history under numbers that it has used. When an operator says so, it
asks the peer for the rest of its own log, believes only what it has signed itself, and goes on from
there. Our own log comes back first, for acknowledgements in the peer's log speak of it; the peer's log
then comes again in the usual way. The peer needs no operator: what it gives back is what it was given.

What this cannot undo: a peer that keeps back the end of our log cannot be told from one that never had
it. The entries it holds under our signature remain its proof.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hotline.errors import DecodeError, ProtocolError, RefusedError
from hotline.limits import ENTRIES_PER_FRAME, FRAME_BYTES, IN_FLIGHT_BYTES
from hotline.line.accepting import acknowledgement_id, digest, supersedes, unqueued
from hotline.line.key_changes import URGENCY, own_change
from hotline.model import (
    Acknowledged,
    Decision,
    Kind,
    LineRecord,
    LogEntry,
    Position,
    Precedence,
    Queued,
    Queueing,
    Side,
    TakenBack,
)
from hotline.wire import entries, heads
from hotline.wire.frames import Returned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.line.pairing import Pairing
    from hotline.store.interface import Transaction

_RUN_BYTES: Final = FRAME_BYTES // 2
_LOOK_BACK: Final = 256
"""Entries read at a time when the earlier parts of a long message are looked for."""


def begin(tx: Transaction, line: int) -> LineRecord:
    """An operator lets this station take back what it has lost; raises RefusedError if nothing is."""
    record = tx.line(line)
    if not record.recovering and (record.halt is None or record.halt.code != "own-log-lost"):
        raise RefusedError(
            "not-lost",
            f"line {record.name} is not halted because this station's own log was lost",
            hint="see `hotline status`; recover is for that case alone",
        )
    # Of a long message that was under way, the peer may have more parts than we remember, or other
    # ones: it is sent anew.
    more_bytes = tx.begin_anew(line)
    record = replace(
        record, halt=None, recovering=True, queued_bytes=record.queued_bytes + more_bytes
    )
    tx.put_line(record)
    return record


def finish(tx: Transaction, line: int) -> LineRecord:
    """Everything is back."""
    record = replace(tx.line(line), recovering=False)
    tx.put_line(record)
    return record


def give_back(tx: Transaction, line: int, after: int) -> list[Returned]:
    """Give what we hold of the peer's log after a number, up to a head that the peer has signed."""
    # Whatever we hold is signed; of what we do not hold nothing is given.
    last, signature = tx.signature_from(line, Side.PEER, after + 1) or (after, b"")
    frames: list[Returned] = []
    first = after + 1
    while first <= last:
        most = min(ENTRIES_PER_FRAME, last - first + 1)
        run = tx.entries(line, Side.PEER, first, most, _RUN_BYTES)
        reached = run[-1].number
        data = tuple(entry.data for entry in run)
        frames.append(Returned(first, last, data, signature if reached == last else None))
        first = reached + 1
    return frames


def take_back(
    tx: Transaction, line: int, pairing: Pairing, runs: Sequence[Returned], wall_ns: int
) -> LineRecord:
    """Append runs of our own log to what is left of it; raises ProtocolError unless we signed them."""
    record = tx.line(line)
    data = [entry for run in runs for entry in run.entries]
    signature = runs[-1].signature
    if runs[0].first != record.own.number + 1 or signature is None:
        raise ProtocolError("what the peer returned does not follow our log")
    chain = heads.chain(record.own.head, data)
    position = Position(record.own.number + len(data), chain[-1])
    if {run.upto for run in runs} != {position.number}:
        raise ProtocolError("what the peer returned is not the run that it named")
    pairing.verify_own_head(position, signature, tx.key_changes(line, Side.OWN))
    messages = record.sealed
    log: list[LogEntry] = []
    found: list[tuple[int, entries.Entry]] = []
    for number, (entry, head) in enumerate(zip(data, chain, strict=True), record.own.number + 1):
        decoded = _decoded(entry)
        complete = not isinstance(decoded, entries.Part) or decoded.is_last
        messages += complete and _is_of_message(decoded)
        log.append(LogEntry(number, head, entry, messages))
        if complete:
            found.append((number, decoded))
    # Also a copy that was made while a log came back may have half sent what is sent otherwise here:
    # it recovers without the word of an operator, and so without ``begin``.
    record = replace(record, queued_bytes=record.queued_bytes + tx.begin_anew(line))
    tx.append(line, Side.OWN, log)
    tx.put_signature(line, Side.OWN, log[0].number, position.number, signature, wall_ns)
    taken = [_found(tx, line, number, entry) for number, entry in found]
    was_queued = tx.take_back(line, [one for one, _ in taken], wall_ns)
    for one, whole in taken:
        if isinstance(whole, entries.KeyChange):
            tx.put_key_change(line, Side.OWN, own_change(pairing, whole, one.number))
    answered = 0
    for _, said in found:
        if isinstance(said, entries.Acknowledgement):
            overruled = _overruled(tx, line, said)
            was_queued += overruled
            answered += _answered(
                tx, line, said.message_id, said.number, _answer(said), final=bool(overruled)
            )
    record = replace(
        unqueued(record, was_queued),
        own=position,
        sealed=messages,
        acknowledged_here=record.acknowledged_here + answered,
    )
    tx.put_line(record)
    return record


def _overruled(tx: Transaction, line: int, entry: entries.Acknowledgement) -> list[Queued]:
    """Take from the queue the answers that may not follow one of our log: the peer has that one."""
    rows = [
        row
        for decision in Decision
        if not supersedes(decision, entry.decision)
        and (row := tx.waiting(line, acknowledgement_id(entry.number, decision))) is not None
    ]
    tx.set_queueing([row.row for row in rows], Queueing.CANCELLED)
    return rows


def _answer(entry: entries.Acknowledgement) -> Acknowledged:
    return Acknowledged(entry.operator, entry.decision, entry.note, entry.time_ns)


def _decoded(data: bytes) -> entries.Entry:
    try:
        return entries.decode(data)
    except DecodeError as error:
        raise ProtocolError(
            f"our own log, as returned, holds what we never write: {error}"
        ) from None


def _is_of_message(entry: entries.Entry) -> bool:
    if isinstance(entry, entries.Part):
        return not entry.id.startswith(entries.KEY_CHANGE_PREFIX)
    return isinstance(entry, entries.Message)


def _found(
    tx: Transaction, line: int, number: int, entry: entries.Entry
) -> tuple[TakenBack, entries.Entry]:
    """Give what an entry is for our queue, and all of it: it may be the last of several parts."""
    numbers: tuple[int, ...] = ()
    if isinstance(entry, entries.Part):
        parts = _parts_until(tx, line, number, entry)
        numbers = tuple(at for at, _ in parts)
        entry = entries.decode_long(b"".join(chunk for _, chunk in parts))
    if isinstance(entry, entries.Message):
        known = digest(Kind.MESSAGE, entry.precedence, entry.subject, entry.body)
        return TakenBack(entry.id, entry.KIND, entry.precedence, number, known, numbers), entry
    # How urgent an acknowledgement or a test was does not stand in the log, and no longer matters.
    urgency = URGENCY if isinstance(entry, entries.KeyChange) else Precedence.ROUTINE
    known = digest(entry.KIND, urgency)
    return TakenBack(entry.id, entry.KIND, urgency, number, known, numbers), entry


def _parts_until(
    tx: Transaction, line: int, number: int, last: entries.Part
) -> list[tuple[int, bytes]]:
    """Give number and chunk of every part of a message whose last part stands at number.

    Its newest beginning counts: an earlier one was half sent when the store was lost before.
    """
    parts = [(number, last.chunk)]
    offset, before = last.offset, number
    while offset > 0 and before > 1:
        first = max(1, before - _LOOK_BACK)
        earlier = tx.entries(line, Side.OWN, first, before - first, IN_FLIGHT_BYTES * 4)
        for one in reversed(earlier):
            entry = entries.decode(one.data)
            if isinstance(entry, entries.Part) and entry.id == last.id:
                parts.append((one.number, entry.chunk))
                offset = entry.offset
                if offset == 0:
                    break
        before = first
    return parts[::-1]


def restore_answers(tx: Transaction, line: int, messages: Sequence[tuple[str, int]]) -> int:
    """Show again what our operators answered to (id, number) messages; gives how many had answers.

    Our acknowledgements stand in our own log, which came back before the messages they speak of.
    """
    restored = 0
    for identifier, number in messages:
        for decision in Decision:
            view = tx.find(line, Side.OWN, acknowledgement_id(number, decision))
            if view is not None and view.kind is Kind.ACKNOWLEDGEMENT:
                answer = Acknowledged(view.author, decision, view.body, view.composed_ns)
                restored += _answered(tx, line, identifier, number, answer)
    return restored


def _answered(
    tx: Transaction,
    line: int,
    identifier: str,
    number: int,
    answer: Acknowledged,
    *,
    final: bool = False,
) -> bool:
    """Show an answer with a message of the peer, if it is here; tells whether it is the first.

    A ``final`` one is shown in place of any other.
    """
    shown = tx.standing(line, Side.PEER, identifier)
    if shown is None or shown.number != number:
        return False  # not here yet: restore_answers sees to it when it comes
    if final or shown.decision is None or supersedes(answer.decision, shown.decision):
        tx.acknowledge(line, Side.PEER, identifier, answer)
    return shown.decision is None
