"""Frames: what stations say to each other inside records (docs/protocol.md, "Frames").

Each is a msgpack array of fixed shape. ``decode`` gives one of the classes below or raises
DecodeError; ``encode`` gives (type, body) for the record writer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, get_args

from hotline.errors import DecodeError
from hotline.limits import (
    COURIER_KEY_BYTES,
    ED25519_SIGNATURE_BYTES,
    ENTRIES_PER_FRAME,
    ENTRY_BYTES,
    FRAME_BYTES,
    HASH_BYTES,
    HEARTBEAT_MAX_S,
    MLDSA_SIGNATURE_BYTES,
    REASON_BYTES,
)
from hotline.strict import Field, Shape, blob, flag, run, sint, text, uint

_U32: Final = 2**32 - 1

_INTERVAL_MAX_MS: Final = int(HEARTBEAT_MAX_S * 1000)
"""A peer that could name any interval could have itself called up for ever."""

NUMBER_MAX: Final = 2**40 - 1
"""Entry numbers: a thousand a second for thirty years, with room to pack a line beside them."""


def _number(name: str, *, low: int = 0) -> Field:
    return uint(name, NUMBER_MAX, low=low)


@dataclass(frozen=True, slots=True)
class Attest:
    """ML-DSA-87 over role and handshake hash: the station proves itself against a quantum forger."""

    TYPE: ClassVar[int] = 1
    SHAPE: ClassVar[Shape] = Shape(
        "attest", blob("signature", MLDSA_SIGNATURE_BYTES), max_bytes=FRAME_BYTES
    )
    signature: bytes


@dataclass(frozen=True, slots=True)
class Hello:
    """Where both logs stand, as the sender has them: where to go on, and whether they agree.

    ``choice`` orders the sessions that the arbiter has said hello on; the other station says 0.
    ``recovering``: the sender's operator has it take back what its store has lost.
    """

    TYPE: ClassVar[int] = 2
    SHAPE: ClassVar[Shape] = Shape(
        "hello",
        _number("own number"),
        blob("own head", HASH_BYTES),
        _number("peer number"),
        blob("peer head", HASH_BYTES),
        _number("receipted"),
        uint("interval_ms", _INTERVAL_MAX_MS, low=1),
        flag("accepting"),
        uint("choice", _U32),
        flag("recovering"),
        max_bytes=FRAME_BYTES,
    )
    own_number: int
    own_head: bytes
    peer_number: int
    peer_head: bytes
    receipted: int
    interval_ms: int
    accepting: bool
    choice: int
    recovering: bool = False


@dataclass(frozen=True, slots=True)
class Entries:
    """A run of the sender's log, from number first, with its signature on the last head."""

    TYPE: ClassVar[int] = 3
    SHAPE: ClassVar[Shape] = Shape(
        "entries",
        _number("first", low=1),
        run("entries", blob("entry", ENTRY_BYTES, low=1), ENTRIES_PER_FRAME, low=1),
        blob("signature", ED25519_SIGNATURE_BYTES),
        max_bytes=FRAME_BYTES,
    )
    first: int
    entries: tuple[bytes, ...]
    signature: bytes

    @property
    def last(self) -> int:
        """The number of the last entry."""
        return self.first + len(self.entries) - 1

    @property
    def size_bytes(self) -> int:
        """Entry bytes carried: what counts against IN_FLIGHT_BYTES."""
        return sum(map(len, self.entries))


@dataclass(frozen=True, slots=True)
class ReceiptFrame:
    """The sender's disk holds the receiver's log up to number; signed."""

    TYPE: ClassVar[int] = 4
    SHAPE: ClassVar[Shape] = Shape(
        "receipt",
        _number("number", low=1),
        blob("head", HASH_BYTES),
        uint("time_ns"),
        blob("signature", ED25519_SIGNATURE_BYTES),
        max_bytes=FRAME_BYTES,
    )
    number: int
    head: bytes
    time_ns: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Proof of life each way, with what is needed for round trip, clock offset and honesty.

    ``echo`` is the newest heartbeat heard from the receiver of this one (0: none yet in this
    session) and ``held_us`` how long ago that was; ``interval_ms`` is when to expect the next.
    """

    TYPE: ClassVar[int] = 5
    SHAPE: ClassVar[Shape] = Shape(
        "heartbeat",
        uint("number", _U32, low=1),
        sint("time_ns"),
        uint("echo", _U32),
        uint("held_us"),
        uint("interval_ms", _INTERVAL_MAX_MS, low=1),
        _number("own number"),
        blob("own head", HASH_BYTES),
        _number("peer number"),
        blob("peer head", HASH_BYTES),
        _number("receipted"),
        flag("accepting"),
        flag("attended"),
        max_bytes=FRAME_BYTES,
    )
    number: int
    time_ns: int
    echo: int
    held_us: int
    interval_ms: int
    own_number: int
    own_head: bytes
    peer_number: int
    peer_head: bytes
    receipted: int
    accepting: bool
    attended: bool


@dataclass(frozen=True, slots=True)
class CheckpointFrame:
    """The sender's ML-DSA-87 signature over both logs: what Ed25519 signed, provable after it falls."""

    TYPE: ClassVar[int] = 6
    SHAPE: ClassVar[Shape] = Shape(
        "checkpoint",
        _number("own number"),
        blob("own head", HASH_BYTES),
        _number("peer number"),
        blob("peer head", HASH_BYTES),
        uint("time_ns"),
        blob("signature", MLDSA_SIGNATURE_BYTES),
        max_bytes=FRAME_BYTES,
    )
    own_number: int
    own_head: bytes
    peer_number: int
    peer_head: bytes
    time_ns: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """The session ends here on purpose; without this frame an end of stream is a truncation."""

    TYPE: ClassVar[int] = 7
    SHAPE: ClassVar[Shape] = Shape(
        "close", text("code", 32, low=1), text("reason", REASON_BYTES), max_bytes=FRAME_BYTES
    )
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recover:
    """The sender, recovering, has its own log up to number ``after``: the rest is wanted back."""

    TYPE: ClassVar[int] = 8
    SHAPE: ClassVar[Shape] = Shape("recover", _number("after"), max_bytes=FRAME_BYTES)
    after: int


@dataclass(frozen=True, slots=True)
class Returned:
    """A run of the receiver's own log, given back.

    Runs follow one another up to number ``upto``; the last of them carries the receiver's own
    signature over the head there.
    """

    TYPE: ClassVar[int] = 9
    SHAPE: ClassVar[Shape] = Shape(
        "returned",
        _number("first", low=1),
        _number("upto", low=1),
        run("entries", blob("entry", ENTRY_BYTES, low=1), ENTRIES_PER_FRAME, low=1),
        blob("signature", ED25519_SIGNATURE_BYTES, optional=True),
        max_bytes=FRAME_BYTES,
    )
    first: int
    upto: int
    entries: tuple[bytes, ...]
    signature: bytes | None

    @property
    def size_bytes(self) -> int:
        """Entry bytes carried."""
        return sum(map(len, self.entries))


@dataclass(frozen=True, slots=True)
class CourierKeyFrame:
    """The sender's signed courier key: what courier files for the sender are sealed to."""

    TYPE: ClassVar[int] = 11
    SHAPE: ClassVar[Shape] = Shape(
        "courier-key", blob("key", COURIER_KEY_BYTES), max_bytes=FRAME_BYTES
    )
    key: bytes


OfSession = (
    Entries | ReceiptFrame | Heartbeat | CheckpointFrame | Recover | Returned | CourierKeyFrame
)
"""What is said by a session that carries the line; the others begin it and end it."""

Frame = Attest | Hello | Close | OfSession

_CLASSES: Final[dict[int, type[Frame]]] = {cls.TYPE: cls for cls in get_args(Frame)}


def decode(frame_type: int, body: bytes) -> Frame:
    """Give the frame that body spells, or raise DecodeError."""
    cls = _CLASSES.get(frame_type)
    if cls is None:
        raise DecodeError(f"frame type {frame_type} is unknown")
    return cls(*cls.SHAPE.unpack(body))


def encode(frame: Frame) -> tuple[int, bytes]:
    """Give a frame's type and body."""
    return frame.TYPE, frame.SHAPE.pack(*[getattr(frame, name) for name in frame.__slots__])
