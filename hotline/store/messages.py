"""Messages as operators see them, put together from their row, their entries and the receipts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from hotline.errors import DecodeError, StoreDamagedError
from hotline.model import Decision, Kind, Precedence, Queueing, Side, Standing, State
from hotline.store.keys import NUMBER_MASK, log_key, unsigned
from hotline.store.statements import RESENT
from hotline.store.views import Damaged, MessageView
from hotline.wire.entries import (
    Acknowledgement,
    KeyChange,
    Message,
    Part,
    Test,
    decode,
    decode_long,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import apsw

    from hotline.store.logs import Logs

_COLUMNS: Final = (
    "m.row, m.line, m.side, m.kind, m.precedence, m.queueing, m.number, m.at_ns, m.expires_ns,"
    " m.id, m.acknowledged_ns, m.acknowledged_by, m.decision, m.note, m.content,"
    " l.name, l.receipt_number"
)
_BY_ROW: Final = f"""
SELECT {_COLUMNS} FROM message m JOIN line l ON l.line = m.line WHERE m.row = ?
"""  # noqa: S608 - constants only

_STANDING: Final = "SELECT kind, number, decision FROM message WHERE row = ?"

# As bytes, for what is spoilt may be no text.
_NAMES: Final = """
SELECT CAST(m.id AS BLOB), CAST(l.name AS BLOB), m.side
FROM message m LEFT JOIN line l ON l.line = m.line WHERE m.row = ?
"""

_FIRST_SIGNATURE: Final = (
    "SELECT at_ns FROM signature WHERE key BETWEEN ? AND ? ORDER BY key LIMIT 1"
)
_FIRST_RECEIPT: Final = "SELECT at_ns FROM receipt WHERE key BETWEEN ? AND ? ORDER BY key LIMIT 1"

_WITHDRAWN: Final = {Queueing.EXPIRED: State.EXPIRED, Queueing.CANCELLED: State.CANCELLED}


class Messages:
    """Loads views through one connection."""

    def __init__(self, database: apsw.Connection, logs: Logs) -> None:
        self._database = database
        self._logs = logs

    def view(self, row: int) -> MessageView:
        """Give the message of a row that exists; raises StoreDamagedError."""
        with self._sound(row):
            return _Row(self._database, self._logs, self._one(_BY_ROW, row)).view()

    def standing(self, row: int) -> Standing:
        """Give where the message of a row that exists stands; raises StoreDamagedError."""
        with self._sound(row):
            kind, number, decision = self._one(_STANDING, row)
            return Standing(Kind(kind), number, None if decision is None else Decision(decision))

    def _one(self, statement: str, row: int) -> tuple[Any, ...]:
        values: tuple[Any, ...] | None = self._database.execute(statement, (row,)).fetchone()
        if values is None:
            raise StoreDamagedError(
                f"{self._database.filename}: message {row} is missing from its table"
            )
        return values

    @contextmanager
    def _sound(self, row: int) -> Iterator[None]:
        """Turn what goes wrong inside over a value into the word of a damaged row."""
        try:
            yield
        except (TypeError, ValueError) as error:  # no such kind, no text, no number
            raise StoreDamagedError(
                f"{self._database.filename}: message {row} holds what no message can hold"
            ) from error

    def damaged(self, row: int, error: StoreDamagedError) -> Damaged:
        """Give what can be told of a message whose row, or what it stands on, is damaged."""
        found: tuple[Any, ...] = self._database.execute(_NAMES, (row,)).fetchone() or (None,) * 3
        identifier, line, side = found
        return Damaged(row, _text(identifier), _text(line), _side(side), error)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _side(value: Any) -> Side | None:
    try:
        return Side(value)
    except ValueError:
        return None


class _Row:
    """One row of the message table, while its view is made."""

    def __init__(self, database: apsw.Connection, logs: Logs, values: Sequence[Any]) -> None:
        self._database = database
        self._logs = logs
        self._row, self._line, side, kind, precedence, queueing, self._number, *rest = values
        self._at_ns, self._expires_ns, self._id, *rest = rest
        self._acknowledged_ns, self._acknowledged_by, decision, self._note, *rest = rest
        self._withdrawn_content, self._name, self._receipt_number = rest
        self._side = Side(side)
        self._kind = Kind(kind)
        self._precedence = Precedence(precedence)
        self._queueing = Queueing(queueing)
        self._decision = None if decision is None else Decision(decision)

    def view(self) -> MessageView:
        incoming = self._side is Side.PEER
        said = self._said()
        state = self._state()
        return MessageView(
            row=self._row,
            id=self._id,
            line=self._name,
            side=self._side,
            kind=self._kind,
            number=self._number,
            precedence=self._precedence,
            author=said.author,
            subject=said.subject,
            body=said.body,
            composed_ns=said.composed_ns,
            ack_by_ns=said.ack_by_ns,
            expires_ns=self._expires_ns,
            sent_ns=None if incoming else self._first_at(_FIRST_SIGNATURE),
            delivered_ns=self._first_at(_FIRST_RECEIPT) if self._is_receipted() else None,
            received_ns=self._at_ns if incoming else None,
            acknowledged_ns=(
                None if self._acknowledged_ns is None else unsigned(self._acknowledged_ns)
            ),
            acknowledged_by=self._acknowledged_by,
            decision=self._decision,
            note=self._note,
            state=state,
            attempts=self._attempts(),
        )

    def _is_receipted(self) -> bool:
        """Tell whether the peer's receipt covers this message of ours, wholly."""
        return (
            self._side is Side.OWN
            and self._number is not None
            and self._receipt_number is not None
            and self._number <= self._receipt_number
        )

    def _state(self) -> State:
        if self._queueing in _WITHDRAWN:
            return _WITHDRAWN[self._queueing]
        if self._acknowledged_ns is not None:
            return State.ACKNOWLEDGED
        if self._queueing is Queueing.QUEUED:
            return State.QUEUED
        if self._side is Side.PEER or self._is_receipted():
            return State.DELIVERED
        return State.SENT

    def _first_at(self, statement: str) -> int | None:
        """Give when the first signature or receipt came whose head covers the whole message."""
        if self._number is None:
            return None
        at_ns: int | None = self._database.execute(
            statement,
            (
                log_key(self._line, self._side, self._number),
                log_key(self._line, self._side, NUMBER_MASK),
            ),
        ).get
        return at_ns

    def _attempts(self) -> int:
        """Give how often the message's last entry so far was put on the wire."""
        if self._side is Side.PEER:
            return 0
        number = self._number
        if number is None and self._queueing is Queueing.SEALING:
            number = max(self._parts(), default=None)
        if number is None:
            return 0
        again: int | None = self._database.execute(
            RESENT, (log_key(self._line, Side.OWN, 0), log_key(self._line, Side.OWN, number))
        ).get
        return 1 + (again or 0)

    def _parts(self) -> list[int]:
        rows = self._database.execute(
            "SELECT number FROM part WHERE row = ? ORDER BY number", (self._row,)
        )
        return [number for (number,) in rows]

    # --- what it says ---

    def _said(self) -> Message:
        """Give what the message says; an acknowledgement or a test is told in the same words."""
        try:
            entry = self._entry()
        except DecodeError as error:
            raise StoreDamagedError(
                f"{self._database.filename}: message {self._id} of line {self._name}: {error}"
            ) from error
        if isinstance(entry, Test):
            return self._told(entry.time_ns, entry.operator, subject="line test")
        if isinstance(entry, Acknowledgement):
            return self._told(entry.time_ns, entry.operator, body=entry.note)
        if isinstance(entry, KeyChange):
            return self._told(self._at_ns, "", subject="key change")
        return entry

    def _told(self, time_ns: int, operator: str, *, subject: str = "", body: str = "") -> Message:
        return Message(self._id, self._precedence, time_ns, None, operator, subject, body)

    def _entry(self) -> Message | Acknowledgement | Test | KeyChange:
        if self._number is None:
            return self._decoded(self._content())
        parts = self._parts()
        if not parts:
            return self._decoded(self._logs.one(self._line, self._side, self._number))
        chunks = []
        for number in sorted({*parts, self._number}):
            part = decode(self._logs.one(self._line, self._side, number))
            if not isinstance(part, Part):
                raise DecodeError(f"entry {number} is no part")
            chunks.append(part.chunk)
        return self._decoded(b"".join(chunks))

    def _decoded(self, content: bytes) -> Message | Acknowledgement | Test | KeyChange:
        if self._kind in (Kind.MESSAGE, Kind.KEY_CHANGE):
            return decode_long(content)
        entry = decode(content)
        if isinstance(entry, Part):
            raise DecodeError("a part stands alone")
        return entry

    def _content(self) -> bytes:
        """Give what is not in the log: it stands in the queue, or was withdrawn from there."""
        content: bytes | None = self._withdrawn_content
        if content is None:
            content = self._database.execute(
                "SELECT content FROM content WHERE row = ?", (self._row,)
            ).get
        if content is None:
            raise StoreDamagedError(
                f"{self._database.filename}: message {self._id} of line {self._name}"
                " has lost its content"
            )
        return content
