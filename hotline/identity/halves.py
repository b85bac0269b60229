"""A line secret made by two people: each side adds 32 bytes, and neither decides alone.

    half        32 bytes of the system's generator, of one station for one other
    words       half + SHA-512("hotline/1 half" + its station's id + the other's id + half)[:4]
    line secret HKDF-SHA512(salt "hotline/1 line secret", ikm = both halves, info = both ids)
    check code  HKDF-SHA512(salt "hotline/1 line secret check", ikm and info the same), 16 bytes

Both halves, and both ids, stand in the order of the ids, smaller first. The four bytes behind a half
find words that were misheard, and one's own half read back: they are made with who says it to whom.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hotline.errors import DecodeError, IdentityError
from hotline.identity import files
from hotline.identity.armour import Armour
from hotline.identity.linesecret import LINE_SECRET_BYTES
from hotline.identity.spoken import from_words, to_words
from hotline.limits import STATION_ID_BYTES
from hotline.strict import Shape, blob, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HALF_BYTES: Final = 32
_CHECK_BYTES: Final = 4
HALF_WORDS: Final = HALF_BYTES + _CHECK_BYTES

_TAG: Final = "hotline/1 half"
_SECRET_SALT: Final = b"hotline/1 line secret"
_CODE_SALT: Final = b"hotline/1 line secret check"
_CODE_BYTES: Final = 16
"""As many as the pair code has: whoever changed both halves on their way could search for a match."""

_ARMOUR: Final = Armour("HOTLINE HALF SECRET", 128)
_SHAPE: Final = Shape(
    "half of a line secret",
    text("tag", len(_TAG)),
    blob("from", STATION_ID_BYTES),
    blob("to", STATION_ID_BYTES),
    blob("half", HALF_BYTES),
    max_bytes=_ARMOUR.max_bytes,
)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Half:
    """What one station adds to the secret of its line with another; no way of printing it shows it."""

    writer_id: bytes
    reader_id: bytes
    secret: bytes

    @classmethod
    def make(cls, writer_id: bytes, reader_id: bytes, random: Callable[[int], bytes]) -> Half:
        """Make a new half; ``random(n)`` must give n bytes from the system's generator."""
        return cls(writer_id, reader_id, random(HALF_BYTES))

    @classmethod
    def from_words(cls, writer_id: bytes, reader_id: bytes, words: Sequence[str]) -> Half:
        """Take a half from the 36 words that writer's operator said; raises IdentityError."""
        data = from_words(words, HALF_WORDS, "the half")
        half = cls(writer_id, reader_id, data[:HALF_BYTES])
        if not hmac.compare_digest(half._check(), data[HALF_BYTES:]):
            raise IdentityError(
                "the words do not belong together, or are not that station's for this line",
                hint="say and type them again; it must be the peer's half, not your own",
            )
        return half

    def words(self) -> tuple[str, ...]:
        """Give the 36 words to be said to the reader's operator, and to nobody else."""
        return to_words(self.secret + self._check())

    def _check(self) -> bytes:
        message = _TAG.encode() + self.writer_id + self.reader_id + self.secret
        return hashlib.sha512(message).digest()[:_CHECK_BYTES]

    def __repr__(self) -> str:
        return "Half(...)"


def combine(own: Half, peer: Half) -> tuple[bytes, tuple[str, ...]]:
    """Give the line secret (32 bytes), and the 16 words by which both sides see that it is the same.

    Raises IdentityError unless the halves are those of two stations for each other.
    """
    if (own.writer_id, own.reader_id) != (peer.reader_id, peer.writer_id):
        raise IdentityError(
            "the two halves are not those of two stations for each other",
            hint="each station adds the half that it made for this very line",
        )
    if hmac.compare_digest(own.secret, peer.secret):
        raise IdentityError("both halves are the same", hint="the peer's operator makes a new one")
    first, second = sorted((own, peer), key=lambda half: half.writer_id)
    ikm, info = first.secret + second.secret, first.writer_id + second.writer_id
    secret = HKDF(SHA512(), LINE_SECRET_BYTES, _SECRET_SALT, info).derive(ikm)
    return secret, to_words(HKDF(SHA512(), _CODE_BYTES, _CODE_SALT, info).derive(ikm))


def write_half(path: Path, half: Half) -> None:
    """Write a half to a new file of mode 0600, durably; raises IdentityError, also if path exists."""
    data = _SHAPE.pack(_TAG, half.writer_id, half.reader_id, half.secret)
    files.create(path, _ARMOUR.encode(data).encode("ascii"), files.SECRET_MODE)


def read_half(path: Path) -> Half:
    """Read the half in path, under the same rules as a secret key file; raises IdentityError."""
    armoured = files.read_secret(path, _ARMOUR.max_text_bytes, _ARMOUR.check_kind)
    try:
        tag, writer_id, reader_id, secret = _SHAPE.unpack(_ARMOUR.decode(armoured, str(path)))
    except DecodeError as error:
        raise IdentityError(f"{path} is damaged: {error}") from None
    if tag != _TAG:
        raise IdentityError(f"{path} is not a half secret of this protocol version ({_TAG!r})")
    return Half(writer_id, reader_id, secret)
