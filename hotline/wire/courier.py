"""Courier files: what is carried by hand instead of by wire (docs/protocol.md, "Courier").

    file      = header + HPKE(plaintext), under info = header + the line's courier secret
    header    = "hotline/1 courier file" + mark                     (54 bytes)
    plaintext = u32 size + bundle + zeros, filled up to a bucket
    bundle    = [content, Ed25519 signature, ML-DSA-87 signature]
    content   = where both logs stand at the writer, and frames as they go by wire

One file is one sealed unit: it is taken in whole or not at all. The mark tells its reader which line it
is for, and tells nothing to whoever has not the writer's or the reader's courier key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from hotline.errors import DecodeError
from hotline.limits import (
    COURIER_BYTES,
    COURIER_MIN_BYTES,
    ED25519_SIGNATURE_BYTES,
    FRAME_BYTES,
    HASH_BYTES,
    MLDSA_SIGNATURE_BYTES,
    STATION_ID_BYTES,
)
from hotline.model import Position
from hotline.strict import Shape, blob, run, text, uint
from hotline.wire import frames
from hotline.wire.frames import NUMBER_MAX, CheckpointFrame, CourierKeyFrame, Entries, ReceiptFrame
from hotline.wire.handshake import hkdf_sha512

TAG: Final = "hotline/1 courier file"
MAGIC: Final = TAG.encode("ascii")
MARK_BYTES: Final = 32
HEADER_BYTES: Final = len(MAGIC) + MARK_BYTES

_SALT: Final = b"hotline/1 courier"
_SIZE_BYTES: Final = 4
_FRAMES_MOST: Final = 32
_ORDER: Final = (CourierKeyFrame, ReceiptFrame, Entries, CheckpointFrame)
"""What a file may carry, in this order: each may speak of what comes before it."""

_BUNDLE: Final = Shape(
    "courier bundle",
    blob("content", COURIER_BYTES, low=1),
    blob("ed25519 signature", ED25519_SIGNATURE_BYTES),
    blob("mldsa87 signature", MLDSA_SIGNATURE_BYTES),
    max_bytes=COURIER_BYTES - _SIZE_BYTES,
)

CONTENT: Final = Shape(
    "courier content",
    text("tag", len(TAG)),
    blob("writer", STATION_ID_BYTES),
    blob("reader", STATION_ID_BYTES),
    uint("time_ns"),
    uint("before number", NUMBER_MAX),
    blob("before head", HASH_BYTES),
    uint("peer number", NUMBER_MAX),
    blob("peer head", HASH_BYTES),
    uint("receipted", NUMBER_MAX),
    run("frames", blob("frame", FRAME_BYTES + 1, low=1), _FRAMES_MOST),
    max_bytes=COURIER_BYTES,
)


@dataclass(frozen=True, slots=True)
class Content:
    """What a courier file says; ``before`` is where the entries carried go on from in the log.

    Without entries ``before`` is the end of the writer's log. ``peer`` is the end of the writer's
    copy of the reader's log, and ``receipted`` the number of the newest receipt it holds.
    """

    writer: bytes
    reader: bytes
    time_ns: int
    before: Position
    peer: Position
    receipted: int
    courier_key: CourierKeyFrame | None
    receipt: ReceiptFrame | None
    runs: tuple[Entries, ...]
    checkpoint: CheckpointFrame | None

    @property
    def last(self) -> int:
        """The number of the last entry carried, or that of ``before``."""
        return self.runs[-1].last if self.runs else self.before.number


def encode(content: Content) -> bytes:
    """Give the bytes of content, which are signed."""
    carried = (content.courier_key, content.receipt, *content.runs, content.checkpoint)
    encoded = [frames.encode(frame) for frame in carried if frame is not None]
    return CONTENT.pack(
        TAG,
        content.writer,
        content.reader,
        content.time_ns,
        content.before.number,
        content.before.head,
        content.peer.number,
        content.peer.head,
        content.receipted,
        tuple(bytes([kind]) + body for kind, body in encoded),
    )


def decode(data: bytes) -> Content:
    """Give the content that data spells; raises DecodeError.

    What it says is checked for form and order alone: each frame is one that a file may carry, at its
    place, and the runs follow one another without a gap.
    """
    tag, writer, reader, time_ns, *positions, carried = CONTENT.unpack(data)
    if tag != TAG:
        raise DecodeError(f"it is not a courier file of this protocol version ({TAG!r})")
    before, peer = Position(*positions[0:2]), Position(*positions[2:4])
    single: dict[type[frames.Frame], Any] = {}
    runs: list[Entries] = []
    place, following = 0, before.number + 1
    for encoded in carried:
        frame = frames.decode(encoded[0], encoded[1:])
        if not isinstance(frame, _ORDER) or _ORDER.index(type(frame)) < place:
            raise DecodeError("a frame stands where a courier file may not have it")
        place = _ORDER.index(type(frame))
        if isinstance(frame, Entries):
            if frame.first != following:
                raise DecodeError(f"entries from {frame.first} follow where {following} is due")
            following = frame.last + 1
            runs.append(frame)
        else:
            place += 1  # at most one of the others
            single[type(frame)] = frame
    if following - 1 > NUMBER_MAX:
        raise DecodeError("an entry's number is out of bounds")
    return Content(
        *(writer, reader, time_ns, before, peer, positions[4]),
        courier_key=single.get(CourierKeyFrame),
        receipt=single.get(ReceiptFrame),
        runs=tuple(runs),
        checkpoint=single.get(CheckpointFrame),
    )


def bundle(content: bytes, ed25519_signature: bytes, mldsa_signature: bytes) -> bytes:
    """Give the plaintext of a file: the signed content, filled up to a bucket.

    Buckets double from COURIER_MIN_BYTES to COURIER_BYTES, so a file's size says little of what is
    in it. Raises DecodeError if it is too much.
    """
    packed = _BUNDLE.pack(content, ed25519_signature, mldsa_signature)
    filled = _SIZE_BYTES + len(packed)
    size = COURIER_MIN_BYTES
    while size < filled:
        size *= 2
    return (len(packed).to_bytes(_SIZE_BYTES, "big") + packed).ljust(size, b"\0")


def unbundle(plaintext: bytes) -> tuple[bytes, bytes, bytes]:
    """Give content and both signatures; raises DecodeError, also for a filling that is not zero."""
    size = int.from_bytes(plaintext[:_SIZE_BYTES], "big")
    end = _SIZE_BYTES + size
    if end > len(plaintext) or plaintext.count(0, end) != len(plaintext) - end:
        raise DecodeError("a courier file is not filled up with zeros")
    content, ed25519_signature, mldsa_signature = _BUNDLE.unpack(plaintext[_SIZE_BYTES:end])
    if bundle(content, ed25519_signature, mldsa_signature) != plaintext:
        raise DecodeError("a courier file has not the size that its content asks for")
    return content, ed25519_signature, mldsa_signature


def header_and_info(
    psk: bytes, writer_id: bytes, reader_id: bytes, reader_keys: bytes
) -> tuple[bytes, bytes]:
    """Give a file's header (54 bytes), and the info under which it is sealed (86 bytes).

    psk is the line's, so a line secret protects files too; reader_keys are the two public halves of
    the reader's courier key.
    """
    derived = hkdf_sha512(_SALT, psk, writer_id + reader_id + reader_keys, 64)
    header = MAGIC + derived[:MARK_BYTES]
    return header, header + derived[MARK_BYTES:]


def split(file: bytes) -> tuple[bytes, bytes]:
    """Give header and sealed part of a file; raises DecodeError if it is no courier file."""
    if not file.startswith(MAGIC) or len(file) < HEADER_BYTES:
        raise DecodeError("it is no courier file")
    return file[:HEADER_BYTES], file[HEADER_BYTES:]


def check_form(file: bytes, sealing_bytes: int) -> None:
    """Raise DecodeError for what is a courier file of nobody's: by its beginning, or its length.

    ``sealing_bytes`` is what sealing adds to the padded plaintext.
    """
    split(file)
    around = HEADER_BYTES + sealing_bytes
    size = COURIER_MIN_BYTES
    while around + size < len(file):
        size *= 2
    if around + size != len(file):
        raise DecodeError(f"it is no whole courier file: none is {len(file)} bytes long")
