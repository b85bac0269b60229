"""Records: a stream of frames inside encrypted units of one size (docs/protocol.md, "Records").

A frame is ``type u8, length u24, body``; frames follow one another through the plaintext of records
and may run from one record into the next. Where a frame would start, type 0 means that the rest of
this record is padding, and all of it is zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from hotline.errors import DecodeError, LocalMisuseError, ProtocolError
from hotline.limits import (
    FRAME_BYTES,
    RECORD_BYTES,
    RECORDS_PER_KEY,
    RECORDS_PER_SESSION,
    UNIT_BYTES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER_BYTES: Final = 4

PADDING: Final = 0
"""The frame type that means: nothing more in this record."""


class Cipher(Protocol):
    """One direction of a finished handshake (Noise revision 34, section 5.1)."""

    def encrypt_with_ad(self, ad: bytes, plaintext: bytes) -> bytes:
        """Encrypt and advance the nonce."""

    def decrypt_with_ad(self, ad: bytes, ciphertext: bytes) -> bytes:
        """Decrypt and advance the nonce; raise RecordError and change nothing if it does not open."""

    def rekey(self) -> None:
        """Replace the key by one that does not tell the old one (section 4.2)."""


class _Budget:
    """Counts the records of one direction: when to rekey, and when to stop."""

    __slots__ = ("_cipher", "count")

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher
        self.count = 0

    def spend(self) -> None:
        self.count += 1
        if self.count % RECORDS_PER_KEY == 0:
            self._cipher.rekey()


class RecordWriter:
    """Frames in, units out."""

    __slots__ = ("_budget", "_cipher", "_plain")

    def __init__(self, cipher: Cipher) -> None:
        """Write under cipher, which nothing else may use."""
        self._cipher = cipher
        self._plain = bytearray()
        self._budget = _Budget(cipher)

    @property
    def records(self) -> int:
        """Records written so far."""
        return self._budget.count

    @property
    def pending_bytes(self) -> int:
        """Plaintext that waits for a unit."""
        return len(self._plain)

    @property
    def overdrawn(self) -> bool:
        """Whether more waits than the session's record budget can carry."""
        waiting = -(-len(self._plain) // RECORD_BYTES)
        return self._budget.count + waiting > RECORDS_PER_SESSION

    def push(self, frame_type: int, body: bytes) -> None:
        """Append one frame."""
        if frame_type == PADDING or len(body) > FRAME_BYTES:
            raise LocalMisuseError(f"frame {frame_type} of {len(body)} bytes cannot be written")
        self._plain += frame_type.to_bytes(1, "big") + len(body).to_bytes(3, "big")
        self._plain += body

    def pull(self, most_bytes: int) -> bytes:
        """Give at most most_bytes of whole units (at least one if anything waits).

        Raises ProtocolError when the session's record budget is used up.
        """
        units = []
        encrypt = self._cipher.encrypt_with_ad
        with memoryview(
            bytes(self._plain[: max(most_bytes // UNIT_BYTES, 1) * RECORD_BYTES])
        ) as plain:
            for start in range(0, len(plain), RECORD_BYTES):
                if self._budget.count >= RECORDS_PER_SESSION:
                    raise ProtocolError("the session's record budget is used up")
                piece = bytes(plain[start : start + RECORD_BYTES])
                units.append(encrypt(b"", piece.ljust(RECORD_BYTES, b"\0")))
                self._budget.spend()
            del self._plain[: len(plain)]
        return b"".join(units)


class RecordReader:
    """Bytes from the wire in, frames out; holds at most one unit and one frame."""

    __slots__ = ("_budget", "_cipher", "_needed", "_plain", "_unit")

    def __init__(self, cipher: Cipher) -> None:
        """Read under cipher, which nothing else may use."""
        self._cipher = cipher
        self._unit = bytearray()
        self._plain = bytearray()
        self._needed = 0
        self._budget = _Budget(cipher)

    @property
    def records(self) -> int:
        """Records opened so far."""
        return self._budget.count

    def feed(self, data: bytes | memoryview) -> Iterator[tuple[int, bytes]]:
        """Give the frames that data completes, as (type, body).

        Raises RecordError if a unit does not open, DecodeError if the frames in it are malformed,
        ProtocolError when the session's record budget is used up. After any of them the session ends.
        """
        self._unit += data
        whole = len(self._unit) - len(self._unit) % UNIT_BYTES
        units = bytes(self._unit[:whole])
        del self._unit[:whole]
        for start in range(0, whole, UNIT_BYTES):
            if self._budget.count >= RECORDS_PER_SESSION:
                raise ProtocolError("the session's record budget is used up")
            plain = self._cipher.decrypt_with_ad(b"", units[start : start + UNIT_BYTES])
            self._budget.spend()
            yield from self._frames(plain)

    def _frames(self, record: bytes) -> Iterator[tuple[int, bytes]]:
        """Parse the record that continues what was left of the one before."""
        self._plain += record
        if len(self._plain) < self._needed:
            return  # a long frame is joined once, not again for each of its records
        data = bytes(self._plain)
        place = 0
        end = len(data)
        self._needed = 0
        while place < end:
            frame_type = data[place]
            if frame_type == PADDING:
                if data.count(0, place) != end - place:
                    raise DecodeError("the padding of a record is not zero")
                place = end
                break
            if end - place < HEADER_BYTES:
                break
            size = int.from_bytes(data[place + 1 : place + HEADER_BYTES], "big")
            if size > FRAME_BYTES:
                raise DecodeError(f"a frame claims {size} bytes, over {FRAME_BYTES}")
            if end - place < HEADER_BYTES + size:
                self._needed = HEADER_BYTES + size
                break
            body_start = place + HEADER_BYTES
            place = body_start + size
            yield frame_type, data[body_start:place]
        self._plain = bytearray(data[place:])
