"""What a courier file does to the store: packing one, and taking one in. Each in one transaction.

Nothing here is a second way of delivering. What is packed gets its numbers as for the wire; what comes
is held against both logs as a hello is, and taken in as if it had come by wire. So it does not matter
which of the two ways an entry or a receipt went, or that it went both.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hotline.errors import HaltError, ProtocolError, RefusedError
from hotline.identity.courierkey import CourierKey
from hotline.limits import FRAME_BYTES
from hotline.line import agreement, applying, checkpoints, sealing
from hotline.line.agreement import Floor
from hotline.model import Position, Receipt, Side
from hotline.wire import heads
from hotline.wire.entries import CHUNK_BYTES, ends_key_change
from hotline.wire.frames import Hello

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.line.applying import Applied
    from hotline.line.pairing import Pairing
    from hotline.model import Checkpoint, Halt, KeyChange, LineRecord
    from hotline.store.interface import Transaction
    from hotline.wire.courier import Content
    from hotline.wire.frames import Entries

RUNS_MOST: Final = 15
"""Runs in one file: with all that is beside them they fill its largest bucket."""

_LOOKS_MOST: Final = 64
"""Looks at the queue in one transaction: each finds a run, or rows that have expired."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What goes into a file, and the line's numbers after it; ``more`` says that something waits."""

    record: LineRecord
    before: Position
    runs: Sequence[Entries]
    peer_key: CourierKey
    expired: Sequence[str]
    more: bool
    checkpoint: Checkpoint | None
    change: KeyChange | None = None
    """A change of our keys that was numbered for it; it is the last of the runs."""

    @property
    def last(self) -> int:
        """The number of the last entry packed, or that of ``before``."""
        return self.runs[-1].last if self.runs else self.before.number


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file brought: new entries of the peer's, and messages of ours now delivered."""

    applied: Applied
    entries: int
    delivered: int

    @property
    def record(self) -> LineRecord:
        """The line's numbers after it."""
        return self.applied.record


def refuse_halted(name: str, halt: Halt | None) -> None:
    """Raise RefusedError for a line that is halted."""
    if halt is not None:
        for_good = halt.code == "revoked"
        raise RefusedError(
            "halted",
            f"line {name} is halted ({halt.code}): {halt.text}",
            hint="nothing goes out or comes in, by any way, "
            + ("for good" if for_good else "until an operator acts"),
        )


def _fit(record: LineRecord) -> None:
    """Raise RefusedError if a line can neither pack a file nor take one in."""
    refuse_halted(record.name, record.halt)
    if record.recovering:
        raise RefusedError(
            "recovering",
            f"line {record.name} is still taking back what this station has lost",
            hint="a recovery goes by wire; see `hotline status`",
        )


def pack(
    tx: Transaction,
    line: int,
    pairing: Pairing,
    *,
    after: int | None,
    most_bytes: int,
    wall_ns: int,
    may_number: bool,
) -> Packed:
    """Number what is queued, and give the entries that the peer has not receipted.

    ``after`` goes on behind an earlier file. At most RUNS_MOST runs and most_bytes of entries (but one
    entry at least). Raises RefusedError; also if something waits to be numbered and must not be.
    """
    record = tx.line(line)
    _fit(record)
    if record.queued_bytes and not may_number:
        raise _unheard(record)
    peer_key = _peer_key(tx, record, pairing)
    receipted = record.receipt.number if record.receipt is not None else 0
    first = receipted if after is None else after
    if not receipted <= first <= record.own.number:
        raise RefusedError(
            "bad-request",
            f"a file can go on after the entries {receipted} to {record.own.number}, not {first}",
        )
    before = Position(first, tx.head(line, Side.OWN, first) or pairing.own_zero)
    was_sealed = record.own.number
    runs: list[Entries] = []
    expired: list[str] = []
    cursor, left_bytes, more = first, most_bytes, True
    change: KeyChange | None = None
    for _ in range(_LOOKS_MOST):
        if left_bytes <= 0 or len(runs) == RUNS_MOST:
            break
        run = sealing.next_run(
            tx,
            line,
            pairing,
            after=cursor,
            room_bytes=min(left_bytes, FRAME_BYTES),
            chunk_bytes=CHUNK_BYTES,
            wall_ns=wall_ns,
        )
        record = run.record
        expired += run.expired
        if run.frame is not None:
            runs.append(run.frame)
            cursor = run.frame.last
            left_bytes -= run.frame.size_bytes
            change = run.change
            if ends_key_change(run.frame.entries[-1]):
                break  # what follows is signed by keys that the reader has not got before
        elif not run.expired:
            more = False
            break
    if first < min(cursor, was_sealed):
        tx.put_resumption(line, first, min(cursor, was_sealed))
    more = more and (record.own.number > cursor or record.queued_bytes > 0)
    checkpoint = None
    if receipted or record.peer.number:
        checkpoint = checkpoints.sign(tx, line, pairing, wall_ns)
    return Packed(record, before, runs, peer_key, expired, more, checkpoint, change)


def _unheard(record: LineRecord) -> RefusedError:
    """The peer would have told whether our own log is whole; a courier has nobody to ask."""
    return RefusedError(
        "unheard",
        f"the peer of line {record.name} was not heard since the daemon's start, and new entries are "
        "waiting",
        hint="if the store is the newest there is, and no restored backup, add --unheard",
    )


def _peer_key(tx: Transaction, record: LineRecord, pairing: Pairing) -> CourierKey:
    kept = tx.courier_key(record.line)
    if kept is not None:
        with contextlib.suppress(ProtocolError):  # of a card that this line no longer has
            return pairing.read_courier_key(kept)
    raise RefusedError(
        "no-courier-key",
        f"this station has no courier key of the peer of line {record.name} yet",
        hint="it comes by wire with a session; or let the peer's `hotline courier key` make a file "
        "of it, and take that in here with `hotline courier add FILE`",
    )


def take_in(tx: Transaction, line: int, pairing: Pairing, content: Content, wall_ns: int) -> Taken:
    """Take in what the peer has signed and a courier brought: all of it, or nothing.

    Raises RefusedError for a gap, ProtocolError for what the peer may not say, and HaltError where
    the two logs disagree.
    """
    record = tx.line(line)
    _fit(record)
    chain = heads.chain(content.before.head, [e for run in content.runs for e in run.entries])
    end = Position(content.last, chain[-1] if chain else content.before.head)
    said = Hello(
        own_number=end.number,
        own_head=end.head,
        peer_number=content.peer.number,
        peer_head=content.peer.head,
        receipted=content.receipted,
        interval_ms=1,
        accepting=True,
        choice=0,
    )
    # No floor: a file is as old as its way was long, and may know less than what we have since had.
    agreement.compare(tx, record, pairing, said, Floor(0, 0))
    if content.before.number > record.peer.number:
        raise _gap(content, record)
    _check_overlap(tx, record, pairing, content, chain)
    delivered = record.delivered
    if content.receipt is not None:
        frame = content.receipt
        receipt = Receipt(frame.number, frame.head, frame.time_ns, frame.signature)
        record = sealing.take_receipt(tx, line, pairing, receipt, wall_ns)
    delivered = record.delivered - delivered
    had = record.peer.number
    applied = applying.apply(tx, line, pairing, content.runs, wall_ns)
    if content.checkpoint is not None:
        signed = checkpoints.checkpoint_of(content.checkpoint)
        checkpoints.take_in(tx, line, pairing, signed, wall_ns)
    return Taken(applied, applied.record.peer.number - had, delivered)


def _gap(content: Content, record: LineRecord) -> RefusedError:
    missing, before = record.peer.number + 1, content.before.number
    what = f"entry {missing} is" if missing == before else f"the entries {missing} to {before} are"
    return RefusedError(
        "gap",
        f"{what} missing: the file goes on after entry {before} of the peer's log",
        hint="take in the file before this one first, or have the peer export again",
    )


def _check_overlap(
    tx: Transaction,
    record: LineRecord,
    pairing: Pairing,
    content: Content,
    chain: Sequence[bytes],
) -> None:
    """Raise HaltError if the peer now signs something else than what we hold under a number."""
    before = content.before
    held = tx.head(record.line, Side.PEER, before.number) if before.number else pairing.peer_zero
    if held != before.head:
        raise _fork(before.number)
    known = record.peer.number - before.number
    if 0 < known < len(chain) and chain[known - 1] != record.peer.head:
        raise _fork(record.peer.number)


def _fork(number: int) -> HaltError:
    return HaltError(
        "fork",
        f"the peer's log has two histories at entry {number}: "
        "a courier file that it signed says otherwise than what came before",
    )


def keep_key(tx: Transaction, line: int, pairing: Pairing, encoded: bytes) -> bool:
    """Keep the peer's courier key; tells whether it is new. Raises DecodeError or ProtocolError."""
    card, kept = pairing.courier_key_card(encoded), tx.courier_key(line)
    if kept == encoded:
        return False  # its signatures were verified when it was kept
    key = CourierKey.decode(encoded, card)
    if kept is not None:
        with contextlib.suppress(ProtocolError):  # of a card that this line no longer has
            if pairing.read_courier_key(kept) == key:
                return False
    tx.put_courier_key(line, key.encoded)
    return True
