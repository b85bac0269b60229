"""The entries of a run of a log, as somebody reads them who has no part in the line.

A long message stands in several entries, its parts: with the last of them the whole of it is told, if
all of them are in the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hotline.cli.rendering import body_lines
from hotline.errors import DecodeError
from hotline.model import Precedence, spelled
from hotline.text import one_line, utc_microseconds
from hotline.wire import entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    Fields = dict[str, Any]

_LABEL_COLUMNS: Final = 15
"""As ``hotline show`` has them."""

_MESSAGE: Final = ("id", "precedence", "composed_at", "ack_by", "author", "subject")
_ROWS: Final = {
    "message": _MESSAGE,
    "part": ("id", "precedence", "bytes"),
    "acknowledgement": ("id", "message_id", "entry", "decision", "operator", "at", "note"),
    "test": ("id", "at", "operator"),
    "unknown": ("size_bytes",),
}
"""What is shown of each kind, but for a body, in this order."""

_LABELS: Final = {
    "composed_at": "composed",
    "ack_by": "ack by",
    "message_id": "message",
    "size_bytes": "bytes",
}


class Entries:
    """Gives the entries of one run, one after the other."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[Precedence, int, bytearray]] = {}

    def fields(self, number: int, data: bytes) -> Fields:
        """Give an entry as the object that ``--json`` prints."""
        try:
            entry = entries.decode(data)
        except DecodeError:
            return {"number": number, "kind": "unknown", "size_bytes": len(data)}
        fields = {"number": number, "kind": entry.KIND.name.lower()}
        if isinstance(entry, entries.Message):
            return {**fields, **_message(entry)}
        if isinstance(entry, entries.Acknowledgement):
            return {**fields, **_acknowledgement(entry)}
        if isinstance(entry, entries.Test):
            at = utc_microseconds(entry.time_ns)
            return {**fields, "id": entry.id, "operator": entry.operator, "at": at}
        whole = self._whole(entry)
        return {**fields, **_part(entry), "message": None if whole is None else _message(whole)}

    def _whole(self, part: entries.Part) -> entries.Message | None:
        """Give the message that ends with a part; None if it ends none, or not all parts were seen."""
        begins = (part.precedence, part.total_bytes, bytearray())
        if part.offset == 0:
            self._begun = {
                identifier: begun
                for identifier, begun in self._begun.items()
                if identifier != part.id and begun[0] != part.precedence
            }
            self._begun[part.id] = begins
        precedence, total, chunks = self._begun.get(part.id, begins)
        expected = (part.precedence, part.total_bytes, part.offset)
        if (precedence, total, len(chunks)) != expected:
            return None
        chunks += part.chunk
        if not part.is_last:
            return None
        del self._begun[part.id]
        try:
            whole = entries.decode_long(bytes(chunks))
        except DecodeError:
            return None
        if not isinstance(whole, entries.Message):
            return None
        return whole if (whole.id, whole.precedence) == (part.id, precedence) else None


def shown(fields: Fields, other: str) -> Iterator[str]:
    """Give the lines that tell of an entry; other is the station whose messages are answered in it."""
    kind, whole = fields["kind"], fields.get("message")
    told = _told(fields, other)
    yield f"{fields['number']}  {kind}{'' if whole is None else ', which ends a message'}"
    rows = _ROWS[kind] if whole is None else (*_ROWS["part"], *_MESSAGE[2:])
    for name in rows:
        if (value := told.get(name)) not in (None, ""):
            yield f"  {_LABELS.get(name, name):<{_LABEL_COLUMNS}}{one_line(str(value))}"
    if body := told.get("body"):
        yield from body_lines({"body": body})


def _told(fields: Fields, other: str) -> Fields:
    """Add what an object says in several fields, or in one of another object."""
    told = {**fields, **(fields.get("message") or {})}
    if fields["kind"] == "part":
        end = fields["offset"] + len(fields["chunk"]) // 2 - 1
        told["bytes"] = f"{fields['offset']} to {end} of {fields['total_bytes']}"
    elif fields["kind"] == "acknowledgement":
        told["entry"] = f"{fields['message_number']} of the log of {other}"
    return told


def _message(said: entries.Message) -> Fields:
    return {
        "id": said.id,
        "precedence": spelled(said.precedence),
        "subject": said.subject,
        "body": said.body,
        "author": said.author,
        "composed_at": utc_microseconds(said.composed_ns),
        "ack_by": None if said.ack_by_ns is None else utc_microseconds(said.ack_by_ns),
    }


def _acknowledgement(answer: entries.Acknowledgement) -> Fields:
    return {
        "id": answer.id,
        "message_id": answer.message_id,
        "message_number": answer.number,
        "decision": spelled(answer.decision),
        "operator": answer.operator,
        "note": answer.note,
        "at": utc_microseconds(answer.time_ns),
    }


def _part(part: entries.Part) -> Fields:
    return {
        "id": part.id,
        "precedence": spelled(part.precedence),
        "offset": part.offset,
        "total_bytes": part.total_bytes,
        "chunk": part.chunk.hex(),
    }
