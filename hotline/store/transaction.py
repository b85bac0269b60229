"""What a work may read and change, on the one connection that writes.

Rows go in many by one statement (hotline/store/bulk.py): the interpreter's share of a row is then a
microsecond or two. Whatever a caller claims about the rows it names is checked by how many of them
a statement changed: a state that would go backwards is a bug here, and undoes everything.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from hotline.errors import LocalMisuseError, StoreDamagedError
from hotline.limits import MIB
from hotline.model import Kind, Partial, Precedence, Queued, Queueing, Side
from hotline.store import checkpoints, lines, marks, statements
from hotline.store.key_changes import WritesKeyChanges
from hotline.store.keys import (
    NUMBER_MASK,
    log_key,
    queue_bounds,
    queue_key,
    signed,
)
from hotline.store.logs import Logs
from hotline.store.messages import Messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import apsw

    from hotline.model import (
        Acknowledged,
        Checkpoint,
        Incoming,
        LineRecord,
        LogEntry,
        Mark,
        Outgoing,
        Receipt,
        Standing,
        TakenBack,
    )
    from hotline.store.views import MessageView

QUEUED_BYTES: Final = 4 * MIB
"""Content loaded by one look at what expires: a queue of long ones is no burden."""

_NUMBER_BYTES: Final = 8

_NONE: Final[Mapping[int, int]] = MappingProxyType({})

_KINDS: Final = {int(kind): kind for kind in Kind}
_PRECEDENCES: Final = {int(precedence): precedence for precedence in Precedence}
"""By their numbers: looking one up costs a tenth of asking the enum."""


class SqliteTransaction(WritesKeyChanges):
    """The interface's Transaction."""

    def __init__(self, database: apsw.Connection) -> None:
        self._database = database
        self._logs = Logs(database)
        self._messages = Messages(database, self._logs)

    # --- lines ---

    def line(self, line: int) -> LineRecord:
        """Give a line's numbers as they stand in this transaction."""
        return lines.get(self._database, line)

    def put_line(self, record: LineRecord) -> None:
        """Replace a line's numbers."""
        lines.put(self._database, record)

    def courier_key(self, line: int) -> bytes | None:
        """Give the peer's courier key as it was kept, or None."""
        key: bytes | None = self._database.execute(
            "SELECT key FROM courier_key WHERE line = ?", (line,)
        ).get
        return key

    def put_courier_key(self, line: int, key: bytes) -> None:
        """Keep the peer's courier key, in the place of an earlier one."""
        self._database.execute("INSERT OR REPLACE INTO courier_key VALUES (?, ?)", (line, key))

    # --- our queue ---

    def digests(self, line: int, ids: Sequence[str]) -> dict[str, bytes]:
        """Give the digest of each of ids that is an outgoing message of line already."""
        return dict(self._named(line, Side.OWN, ids))

    def enqueue(self, line: int, messages: Sequence[Outgoing]) -> None:
        """Add messages to the queue in this order."""
        numbered = list(enumerate(messages, start=self._next_row()))
        statements.ENQUEUE.run(
            self._database,
            [
                (row, line, m.kind, m.precedence, m.accepted_ns, m.expires_ns, m.id, m.digest)
                for row, m in numbered
            ],
        )
        statements.CONTENT.run(self._database, [(row, m.content) for row, m in numbered])
        statements.QUEUE.run(
            self._database, [(queue_key(line, m.precedence, row),) for row, m in numbered]
        )

    def add_sealed(self, line: int, messages: Sequence[tuple[int, Outgoing]]) -> None:
        """Add messages that were never queued."""
        statements.SEND.run(
            self._database,
            [
                (
                    row,
                    line,
                    m.kind,
                    m.precedence,
                    number,
                    m.accepted_ns,
                    m.expires_ns,
                    m.id,
                    m.digest,
                )
                for row, (number, m) in enumerate(messages, start=self._next_row())
            ],
        )

    def queued(self, line: int, most: int, most_bytes: int) -> list[Queued]:
        """Give the next rows to be sealed."""
        rows = self._database.execute(statements.QUEUED, (*queue_bounds(line), most))
        return self._within_bytes(rows, most_bytes)

    def due(self, line: int, now_ns: int, most: int) -> list[Queued]:
        """Give rows, wholly queued, that expire at or before now_ns."""
        return self._within_bytes(self._database.execute(statements.DUE, (line, now_ns, most)))

    def waiting(self, line: int, identifier: str) -> Queued | None:
        """Give the outgoing message of this id if it is wholly queued."""
        found = self._within_bytes(self._database.execute(statements.WAITING, (line, identifier)))
        return found[0] if found else None

    def set_queueing(self, rows: Sequence[int], queueing: Queueing) -> None:
        """Withdraw rows that are wholly queued; what they say is kept beside them."""
        if queueing not in (Queueing.EXPIRED, Queueing.CANCELLED):
            raise LocalMisuseError(f"{queueing.name} is said by sealing, not by set_queueing")
        self._change(statements.WITHDRAW, [(queueing, row) for row in rows])
        self._change(statements.UNQUEUE, [(row,) for row in rows])
        self._change(statements.LET_GO, [(row,) for row in rows])

    def seal(
        self, line: int, numbers: Sequence[tuple[int, int]], parted: Sequence[int] = ()
    ) -> None:
        """Say that each (row, number) is sealed: they are what comes next in the queue."""
        if numbers:
            first, _ = queue_bounds(line)
            with self._changing(2 * len(numbers)):
                self._number(line, numbers)
                self._database.execute(statements.UNQUEUE_UPTO, (first, numbers[-1][0]))
        self._change(statements.LET_GO, [(row,) for row in parted])

    def _number(self, line: int, numbers: Sequence[tuple[int, int]]) -> None:
        (row, number), count = numbers[0], len(numbers)
        # Not so behind a message of several parts, nor where rows of other messages lie between.
        if list(numbers) == [(row + step, number + step) for step in range(count)]:
            stretch = (row, row + count - 1, number - row, line)
            self._database.execute(statements.SEAL_STRETCH, stretch)
        else:
            sealed = [(row, number, line) for row, number in numbers]
            self._database.executemany(statements.SEAL, sealed)

    def seal_part(self, line: int, row: int, number: int, sealed_bytes: int) -> None:
        """Say that entry number carries row's content up to sealed_bytes."""
        self._change(statements.SEAL_PART, [(sealed_bytes, row, line)])
        self._database.execute("INSERT INTO part VALUES (?, ?)", (row, number))

    def begin_anew(self, line: int) -> int:
        """Have what is sealed in part sealed from its first byte; gives how many bytes that adds."""
        begun = list(self._database.execute(statements.BEGUN, (NUMBER_MASK, *queue_bounds(line))))
        self._change(statements.BEGIN_ANEW, [(row,) for row, _ in begun])
        self._database.executemany("DELETE FROM part WHERE row = ?", [(row,) for row, _ in begun])
        return sum(sealed_bytes for _, sealed_bytes in begun)

    # --- the logs ---

    def append(
        self, line: int, side: Side, entries: Sequence[LogEntry], rows: Mapping[int, int] = _NONE
    ) -> None:
        """Append entries to a log; their numbers go on from its end."""
        for expected, entry in enumerate(entries, start=self._logs.last(line, side) + 1):
            if entry.number != expected:
                raise LocalMisuseError(f"entry {entry.number} is appended as number {expected}")
        base = log_key(line, side, 0)
        statements.APPEND.run(
            self._database,
            [
                (base + number, messages, head, b"", rows[number])
                if number in rows
                else (base + number, messages, head, data, None)
                for number, head, data, messages in entries
            ],
        )

    def entries(
        self, line: int, side: Side, first: int, most: int, most_bytes: int
    ) -> list[LogEntry]:
        """Give checked entries from number first on."""
        return self._logs.entries(line, side, first, most, most_bytes)

    def head(self, line: int, side: Side, number: int) -> bytes | None:
        """Give the head after entry number, or None if the log is shorter."""
        return self._logs.head(line, side, number)

    def messages_until(self, line: int, side: Side, number: int) -> int:
        """Give how many complete messages the entries up to number hold."""
        if number == 0:
            return 0
        count: int | None = self._database.execute(
            "SELECT messages FROM entry WHERE key = ?", (log_key(line, side, number),)
        ).get
        if count is None:
            raise LocalMisuseError(f"the log has no entry {number}")
        return count

    def put_signature(
        self, line: int, side: Side, first: int, last: int, signature: bytes, at_ns: int
    ) -> None:
        """Keep the writer's signature over the head at last."""
        key, end = log_key(line, side, last), log_key(line, side, NUMBER_MASK)
        self._database.execute(statements.SIGNATURE, (key, first, at_ns, signature, end))

    def signature_from(self, line: int, side: Side, number: int) -> tuple[int, bytes] | None:
        """Give the first signature kept over a head at or after number."""
        row = self._database.execute(
            "SELECT key, signature FROM signature WHERE key BETWEEN ? AND ? ORDER BY key LIMIT 1",
            (log_key(line, side, number), log_key(line, side, NUMBER_MASK)),
        ).fetchone()
        return None if row is None else (row[0] & NUMBER_MASK, row[1])

    def put_receipt(self, line: int, receipt: Receipt, at_ns: int) -> None:
        """Keep the peer's receipt over our log."""
        key = log_key(line, Side.OWN, receipt.number)
        end = log_key(line, Side.OWN, NUMBER_MASK)
        time_ns = signed(receipt.time_ns)
        self._database.execute(
            statements.RECEIPT, (key, at_ns, time_ns, receipt.head, receipt.signature, end)
        )

    def put_checkpoint(self, line: int, signer: Side, checkpoint: Checkpoint, at_ns: int) -> None:
        """Keep a checkpoint that is newer than the signer's others."""
        checkpoints.put(self._database, line, signer, checkpoint, at_ns)

    def newest_checkpoint(self, line: int, signer: Side) -> Checkpoint | None:
        """Give the newest checkpoint that signer has made."""
        return checkpoints.newest(self._database, line, signer)

    def put_resumption(self, line: int, after: int, upto: int) -> None:
        """Note that our entries after..upto (after excluded) were put on the wire once more."""
        least = log_key(line, Side.OWN, 0)
        first, behind = least + after + 1, least + upto + 1
        for key in (first, behind):
            self._database.execute(statements.RESENT_FROM, (least, key))
        self._database.execute(
            "UPDATE resent SET times = times + 1 WHERE key BETWEEN ? AND ?", (first, behind - 1)
        )

    def take_back(self, line: int, found: Sequence[TakenBack], at_ns: int) -> list[Queued]:
        """Say that these of ours stand in our log; gives those that were still queued."""
        was_queued: list[Queued] = []
        for one in found:
            row = self._row_of(line, Side.OWN, one.id)
            if row is None:
                row = self._next_row()
                self._database.execute(
                    statements.TAKE_BACK,
                    (row, line, one.kind, one.precedence, one.number, at_ns, one.id, one.digest),
                )
            else:
                queued = self._database.execute(statements.QUEUED_ROW, (row,))
                was_queued += self._within_bytes(queued)
                self._change(statements.FOUND_SEALED, [(one.number, row)])
                self._database.execute(statements.UNQUEUE, (row,))
                self._database.execute(statements.LET_GO, (row,))
            self._database.executemany(
                "INSERT OR IGNORE INTO part VALUES (?, ?)", [(row, part) for part in one.parts]
            )
        return was_queued

    # --- the peer's messages ---

    def receive(self, line: int, messages: Sequence[Incoming]) -> int:
        """Show complete messages of the peer's log; drop their partials. Gives the first one's row."""
        first = self._next_row()
        numbered = list(enumerate(messages, start=first))
        statements.RECEIVE.run(
            self._database,
            [
                (row, line, m.kind, m.precedence, m.number, m.received_ns, m.id)
                for row, m in numbered
            ],
        )
        if any(m.parts for m in messages):
            self._database.executemany(
                "INSERT INTO part VALUES (?, ?)",
                [(row, number) for row, m in numbered for number in m.parts],
            )
            self._database.executemany(
                "DELETE FROM partial WHERE line = ? AND id = ?",
                [(line, m.id) for m in messages if m.parts],
            )
        return first

    def known_incoming(self, line: int, ids: Sequence[str]) -> set[str]:
        """Give those of ids that the peer has used for a message already."""
        return {identifier for identifier, _ in self._named(line, Side.PEER, ids)}

    def partials(self, line: int) -> list[Partial]:
        """Give the peer's messages of which only some parts have come."""
        rows = self._database.execute(
            "SELECT precedence, id, total_bytes, numbers, have_bytes FROM partial WHERE line = ?",
            (line,),
        )
        return [
            Partial(Precedence(precedence), identifier, total_bytes, _unpacked(numbers), have_bytes)
            for precedence, identifier, total_bytes, numbers, have_bytes in rows
        ]

    def put_partial(self, line: int, partial: Partial) -> None:
        """Add or replace the partial of this id."""
        packed = b"".join(number.to_bytes(_NUMBER_BYTES, "big") for number in partial.numbers)
        self._database.execute(
            "INSERT OR REPLACE INTO partial VALUES (?, ?, ?, ?, ?, ?)",
            (
                line,
                partial.id,
                partial.precedence,
                partial.total_bytes,
                partial.have_bytes,
                packed,
            ),
        )

    def drop_partial(self, line: int, identifier: str) -> None:
        """Forget the partial of this id, if there is one."""
        self._database.execute("DELETE FROM partial WHERE line = ? AND id = ?", (line, identifier))

    # --- either direction ---

    def find(self, line: int, side: Side, identifier: str) -> MessageView | None:
        """Give one message: side OWN is what we sent, PEER what we received."""
        row = self._row_of(line, side, identifier)
        return None if row is None else self._messages.view(row)

    def standing(self, line: int, side: Side, identifier: str) -> Standing | None:
        """Give where one message stands, from its row alone."""
        row = self._row_of(line, side, identifier)
        return None if row is None else self._messages.standing(row)

    def acknowledge(self, line: int, side: Side, identifier: str, answer: Acknowledged) -> None:
        """Set the acknowledgement shown with a message; a later one replaces it."""
        self._change(
            "UPDATE message SET acknowledged_ns = ?, acknowledged_by = ?, decision = ?, note = ?"
            " WHERE line = ? AND side = ? AND id = ?",
            [
                (
                    signed(answer.at_ns),
                    answer.operator,
                    answer.decision,
                    answer.note,
                    line,
                    side,
                    identifier,
                )
            ],
        )

    # --- cards ---

    def put_verification(self, own_id: bytes, peer_id: bytes, mark: Mark) -> None:
        """Say that the pair code of two cards was compared; the newest is kept."""
        marks.verify(self._database, own_id, peer_id, mark)

    def put_revocation(self, peer_id: bytes, mark: Mark) -> None:
        """Refuse a card for good; the first time stands."""
        marks.revoke(self._database, peer_id, mark)

    def revocation(self, peer_id: bytes) -> Mark | None:
        """Give when a card was refused for good, and by whom."""
        return marks.revocation(self._database, peer_id)

    # --- how ---

    def _row_of(self, line: int, side: Side, identifier: str) -> int | None:
        row: int | None = self._database.execute(statements.ROW_OF, (line, side, identifier)).get
        return row

    def _next_row(self) -> int:
        row: int | None = self._database.execute("SELECT max(row) FROM message").get
        return (row or 0) + 1

    def _within_bytes(
        self, rows: Iterable[tuple[Any, ...]], most_bytes: int = QUEUED_BYTES
    ) -> list[Queued]:
        """Take rows, one by one as they are asked for, until what is unsealed reaches most_bytes."""
        found: list[Queued] = []
        size = 0
        for row, identifier, kind, precedence, content, sealed_bytes, expires_ns in rows:
            if content is None:
                raise StoreDamagedError(
                    f"{self._database.filename}: message {identifier} waits, but has lost its content"
                )
            found.append(
                Queued(
                    row,
                    identifier,
                    _KINDS[kind],
                    _PRECEDENCES[precedence],
                    content,
                    sealed_bytes,
                    expires_ns,
                )
            )
            size += len(content) - sealed_bytes
            if size >= most_bytes:
                break
        return found

    def _named(self, line: int, side: Side, ids: Sequence[str]) -> Iterable[tuple[str, Any]]:
        """Give id and digest of each of ids that is a message already, by one statement for all."""
        if len(ids) == 1:  # a list costs more than a row
            return self._database.execute(statements.NAMED, (line, side, ids[0]))
        return self._database.execute(
            "SELECT m.id, m.digest FROM json_each(?) j CROSS JOIN message m"
            " ON m.line = ? AND m.side = ? AND m.id = j.value",
            (json.dumps(list(ids)), line, side),
        )

    def _change(self, statement: str, bindings: Sequence[tuple[object, ...]]) -> None:
        """Run statement for each of bindings, each of which must change exactly one row."""
        with self._changing(len(bindings)):
            self._database.executemany(statement, bindings)

    @contextmanager
    def _changing(self, rows: int) -> Iterator[None]:
        """See to it that what is done inside changes exactly so many rows."""
        before = self._database.total_changes()
        yield
        if self._database.total_changes() - before != rows:
            raise LocalMisuseError(
                "a message is changed that is not there, or not as it was thought"
            )


def _unpacked(numbers: bytes) -> tuple[int, ...]:
    return tuple(
        int.from_bytes(numbers[at : at + _NUMBER_BYTES], "big")
        for at in range(0, len(numbers), _NUMBER_BYTES)
    )
