"""Entries: the durable units of a log (docs/protocol.md, "Entries").

An entry is a msgpack array whose first element is its kind. Its exact bytes are what is hashed,
signed, sent and stored. What is too long for one entry (a message, or a key change, which always is)
is encoded whole, as if it fitted, and the encoding is cut into ``part`` entries: their chunks, put
together, are the encoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from hotline import limits
from hotline.errors import DecodeError
from hotline.model import Decision, Kind, Precedence, check_id, check_ids
from hotline.strict import Shape, blob, text, uint
from hotline.wire.frames import NUMBER_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

_PRECEDENCE_MAX: Final = max(Precedence)


def _checked_id(identifier: str) -> str:
    if not check_id(identifier):
        raise DecodeError("an entry's id has characters that ids may not have")
    return identifier


class _Said(NamedTuple):
    id: str
    precedence: Precedence
    composed_ns: int
    ack_by_ns: int | None
    author: str
    subject: str
    body: str


class Message(_Said):
    """What one station says to the other; times are UNIX nanoseconds by the author's clock.

    A named tuple, for nearly every entry is one, and a frozen dataclass takes twice as long to make.
    """

    __slots__ = ()
    SHAPE: ClassVar[Shape] = Shape(
        "message entry",
        uint("kind", Kind.MESSAGE, low=Kind.MESSAGE),
        text("id", limits.ID_BYTES, low=1),
        uint("precedence", _PRECEDENCE_MAX),
        uint("composed_ns"),
        uint("ack_by_ns", optional=True),
        text("author", limits.OPERATOR_BYTES),
        text("subject", limits.SUBJECT_BYTES),
        text("body", limits.MESSAGE_BYTES),
        max_bytes=limits.MESSAGE_ENCODED_BYTES,
    )
    KIND: ClassVar[Kind] = Kind.MESSAGE


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a long message: chunk stands at offset of an encoding of total_bytes."""

    SHAPE: ClassVar[Shape] = Shape(
        "part entry",
        uint("kind", Kind.PART, low=Kind.PART),
        text("id", limits.ID_BYTES, low=1),
        uint("precedence", _PRECEDENCE_MAX),
        uint("offset", limits.MESSAGE_ENCODED_BYTES),
        uint("total_bytes", limits.MESSAGE_ENCODED_BYTES, low=limits.ENTRY_BYTES + 1),
        blob("chunk", limits.ENTRY_BYTES, low=1),
        max_bytes=limits.ENTRY_BYTES,
    )
    KIND: ClassVar[Kind] = Kind.PART
    id: str
    precedence: Precedence
    offset: int
    total_bytes: int
    chunk: bytes

    @property
    def is_last(self) -> bool:
        """Whether the encoding ends with this chunk."""
        return self.offset + len(self.chunk) == self.total_bytes


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A named operator's answer to the message whose last entry has number in the reader's log."""

    SHAPE: ClassVar[Shape] = Shape(
        "acknowledgement entry",
        uint("kind", Kind.ACKNOWLEDGEMENT, low=Kind.ACKNOWLEDGEMENT),
        text("id", limits.ID_BYTES, low=1),
        text("message id", limits.ID_BYTES, low=1),
        uint("number", NUMBER_MAX, low=1),
        uint("decision", max(Decision)),
        uint("time_ns"),
        text("operator", limits.OPERATOR_BYTES, low=1),
        text("note", limits.NOTE_BYTES),
        max_bytes=limits.ENTRY_BYTES,
    )
    KIND: ClassVar[Kind] = Kind.ACKNOWLEDGEMENT
    id: str
    message_id: str
    number: int
    decision: Decision
    time_ns: int
    operator: str
    note: str


@dataclass(frozen=True, slots=True)
class Test:
    """A line test: travels and is receipted like a message, and troubles no operator."""

    __test__ = False  # not a pytest class

    SHAPE: ClassVar[Shape] = Shape(
        "test entry",
        uint("kind", Kind.TEST, low=Kind.TEST),
        text("id", limits.ID_BYTES, low=1),
        uint("time_ns"),
        text("operator", limits.OPERATOR_BYTES),
        max_bytes=limits.ENTRY_BYTES,
    )
    KIND: ClassVar[Kind] = Kind.TEST
    id: str
    time_ns: int
    operator: str


@dataclass(frozen=True, slots=True)
class KeyChange:
    """The writer's keys change: what comes after the last part of this is signed by the new keys."""

    SHAPE: ClassVar[Shape] = Shape(
        "key change entry",
        uint("kind", Kind.KEY_CHANGE, low=Kind.KEY_CHANGE),
        text("id", limits.ID_BYTES, low=1),
        blob("succession", limits.SUCCESSION_BYTES, low=limits.ENTRY_BYTES),
        max_bytes=limits.SUCCESSION_BYTES + limits.KIB,
    )
    KIND: ClassVar[Kind] = Kind.KEY_CHANGE
    id: str
    succession: bytes


Single = Message | Part | Acknowledgement | Test
"""What one entry may be by itself."""

Entry = Single | KeyChange
Long = Message | KeyChange
"""What parts carry."""

KEY_CHANGE_PREFIX: Final = "key-change."
"""Ids of key changes, and of nothing else: the part that ends one is told without its others."""

_MESSAGE_KIND: Final = int(Kind.MESSAGE)
_pack_message: Final = Message.SHAPE.pack
_unpack_message: Final = Message.SHAPE.unpack
_PRECEDENCES: Final = tuple(Precedence)
"""By their numbers: looking one up costs a tenth of asking the enum."""

_ARRAY_OF_ONE: Final = b"\x91"
_ARRAY_OF_MOST: Final = b"\x9f"
"""How msgpack begins an array of 1 to 15 elements; every entry is one."""

_INT_MAX: Final = 127
"""The greatest that msgpack writes in one byte."""

PART_OVERHEAD_BYTES: Final = 128
"""More than a part's encoding adds to its chunk (id 64, numbers and headers)."""

CHUNK_BYTES: Final = limits.ENTRY_BYTES - PART_OVERHEAD_BYTES
"""The chunk of a part on a fast link."""

SLOW_CHUNK_BYTES: Final = 3584
"""The chunk of a part on a slow link: its frame, with signature and headers, fits in one record."""


def encode(entry: Entry) -> bytes:
    """Give the bytes to be hashed, signed, sent and stored (a Message may be over ENTRY_BYTES)."""
    if type(entry) is Message:  # nearly every entry is one: without a loop over its fields
        return _pack_message(
            _MESSAGE_KIND,
            entry.id,
            int(entry.precedence),
            entry.composed_ns,
            entry.ack_by_ns,
            entry.author,
            entry.subject,
            entry.body,
        )
    values = (getattr(entry, name) for name in fields(entry))
    return entry.SHAPE.pack(int(entry.KIND), *map(_plain, values))


def encode_messages(
    ids: Sequence[str],
    precedences: Sequence[Precedence],
    composed_ns: int,
    author: str,
    subjects: Sequence[str],
    bodies: Sequence[str],
) -> list[bytes] | None:
    """Give what ``encode`` does of each of some messages, to be answered at no time, at once.

    None if anything is wrong with any of them, its id too.
    """
    count = len(ids)
    if not check_ids(ids):
        return None
    return Message.SHAPE.pack_all(
        (
            (_MESSAGE_KIND,) * count,
            ids,
            tuple(map(int, precedences)),
            (composed_ns,) * count,
            (None,) * count,
            (author,) * count,
            subjects,
            bodies,
        )
    )


def decode_messages(run: Sequence[bytes]) -> list[Message] | None:
    """Give what ``decode`` does of each of a run, at once, if each is a message.

    None if any is not, or anything is wrong, and for an id that only a change of keys may have.
    """
    if max(map(len, run)) > limits.ENTRY_BYTES:
        return None
    columns = Message.SHAPE.unpack_all(run)
    if columns is None:
        return None
    _, ids, precedences, *others = columns
    # Anywhere in an id, not at its beginning alone: one look for all of them, and nobody uses such.
    if not check_ids(ids) or KEY_CHANGE_PREFIX in "\n".join(ids):
        return None
    return list(map(Message, ids, map(_PRECEDENCES.__getitem__, precedences), *others))


def fields(entry: Entry) -> tuple[str, ...]:
    """Give the names of an entry's fields, in their order on the wire."""
    return entry._fields if isinstance(entry, Message) else entry.__slots__


def _plain(value: object) -> object:
    """Give an int for an enum member: msgpack and the shapes know exact types only."""
    return int(value) if isinstance(value, int) else value


def decode(data: bytes) -> Single:
    """Give the entry that data spells, or raise DecodeError."""
    # A fixarray's second byte is the first element; a kind is a positive fixint.
    kind = data[1] if len(data) > 1 else 0
    if kind == Kind.MESSAGE:
        if len(data) > limits.ENTRY_BYTES:
            raise DecodeError(f"a message entry is {len(data)} bytes, over {limits.ENTRY_BYTES}")
        return decode_message(data)
    if kind == Kind.PART:
        return _decode_part(data)
    if kind == Kind.ACKNOWLEDGEMENT:
        _, identifier, message_id, number, decision, time_ns, operator, note = (
            Acknowledgement.SHAPE.unpack(data)
        )
        return Acknowledgement(
            _checked_id(identifier),
            _checked_id(message_id),
            number,
            Decision(decision),
            time_ns,
            operator,
            note,
        )
    if kind == Kind.TEST:
        _, identifier, time_ns, operator = Test.SHAPE.unpack(data)
        return Test(_checked_id(identifier), time_ns, operator)
    raise _of_no_kind(data)


def _of_no_kind(data: bytes) -> DecodeError:
    """Say why data, whose second byte is the kind of no entry, is none."""
    if not _ARRAY_OF_ONE <= data[:1] <= _ARRAY_OF_MOST:
        return DecodeError("it is no array of fields, as every entry is")
    kind = data[1] if len(data) > 1 else _INT_MAX + 1
    if kind == Kind.KEY_CHANGE:
        return DecodeError("it is a key change that stands whole in one entry, not in parts")
    if kind > _INT_MAX:
        return DecodeError("its first field is not the kind of an entry")
    return DecodeError(f"entry kind {kind} is unknown")


def decode_long(data: bytes) -> Long:
    """Give what the chunks of parts spell together, or raise DecodeError."""
    if data[1:2] == bytes([Kind.KEY_CHANGE]):
        _, identifier, succession = KeyChange.SHAPE.unpack(data)
        return KeyChange(_checked_id(identifier), succession)
    return decode_message(data)


def key_change_id(station_id: bytes) -> str:
    """Give the id of the change to the card of station_id: the same, however often it is asked for."""
    return KEY_CHANGE_PREFIX + station_id[:16].hex()


def ends_key_change(data: bytes) -> bool:
    """Tell whether an entry is the last part of a key change; False if it is no entry at all."""
    if data[1:2] != bytes([Kind.PART]):
        return False
    try:
        part = _decode_part(data)
    except DecodeError:
        return False
    return part.is_last and part.id.startswith(KEY_CHANGE_PREFIX)


def decode_message(data: bytes) -> Message:
    """Give the message that data spells, however long: one entry, or the chunks of its parts."""
    _, identifier, precedence, composed_ns, ack_by_ns, author, subject, body = _unpack_message(data)
    return Message(
        _checked_id(identifier),
        _PRECEDENCES[precedence],
        composed_ns,
        ack_by_ns,
        author,
        subject,
        body,
    )


def _decode_part(data: bytes) -> Part:
    _, identifier, precedence, offset, total_bytes, chunk = Part.SHAPE.unpack(data)
    if offset + len(chunk) > total_bytes:
        raise DecodeError("a part reaches over its message's end")
    return Part(_checked_id(identifier), Precedence(precedence), offset, total_bytes, chunk)
