"""The succession: a station's new card, signed by its old keys and by its new ones.

The old keys vouch for the new card. The new keys sign too, whom they succeed: nobody can name as his
successor a station that does not want to be it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hotline.errors import DecodeError, IdentityError, ProtocolError
from hotline.identity import files
from hotline.identity.armour import Armour
from hotline.identity.card import Card
from hotline.identity.keys import SecretKeys
from hotline.limits import (
    ED25519_SIGNATURE_BYTES,
    KIB,
    MLDSA_SIGNATURE_BYTES,
    STATION_ID_BYTES,
    SUCCESSION_BYTES,
)
from hotline.strict import Shape, blob, text, uint

_TAG: Final = "hotline/1 succession"
_CONTEXT: Final = _TAG.encode("ascii")
_ARMOUR: Final = Armour("HOTLINE SUCCESSION", SUCCESSION_BYTES)
_SIGNED_BYTES: Final = 8 * KIB

_SIGNED_PART: Final = Shape(
    "signed part of a succession",
    text("tag", len(_TAG)),
    blob("old id", STATION_ID_BYTES),
    blob("new card", _SIGNED_BYTES, low=1),
    uint("time_ns", 2**63 - 1),
    max_bytes=_SIGNED_BYTES,
)

_SUCCESSION: Final = Shape(
    "succession",
    blob("signed part", _SIGNED_BYTES, low=1),
    blob("old ed25519 signature", ED25519_SIGNATURE_BYTES),
    blob("old mldsa87 signature", MLDSA_SIGNATURE_BYTES),
    blob("new ed25519 signature", ED25519_SIGNATURE_BYTES),
    blob("new mldsa87 signature", MLDSA_SIGNATURE_BYTES),
    max_bytes=SUCCESSION_BYTES,
)


@dataclass(frozen=True, slots=True, repr=False)
class Succession:
    """Who follows whom; only ``make`` and ``decode`` vouch for the contents.

    ``old_id`` is the station id (32 bytes) of the card before, ``card`` the new one, ``time_ns`` UNIX
    time by the station's clock.
    """

    old_id: bytes
    card: Card
    time_ns: int
    encoded: bytes

    @classmethod
    def make(
        cls, old: Card, old_keys: SecretKeys, new: Card, new_keys: SecretKeys, time_ns: int
    ) -> Succession:
        """Let new succeed old; raises IdentityError if a reader would not take it."""
        signed_part = _SIGNED_PART.pack(_TAG, old.id, new.encoded, time_ns)
        encoded = _SUCCESSION.pack(
            signed_part, *_signatures(old_keys, signed_part), *_signatures(new_keys, signed_part)
        )
        return cls.decode(encoded, [old])

    @classmethod
    def decode(
        cls, encoded: bytes, line: Iterable[Card], *, source: str = "the succession"
    ) -> Succession:
        """Read a succession of the last card of line, the cards that the station has had so far.

        Checks everything: form, that it names that card, both old signatures, the new card in full,
        both new signatures, that the name is the same and that no key was used before. Raises
        IdentityError.
        """
        had = tuple(line)
        old = had[-1]
        parts = _Parts.of(encoded, source)
        if parts.old_id != old.id:
            raise IdentityError(f"{source} follows another card than {_short(old)}")
        _verify(old, parts.signed_part, *parts.by_old, source)
        new = parts.new_card(source)
        if new.name != old.name:
            raise IdentityError(f"{source} changes the name from {old.name} to {new.name}")
        check_fresh(new, had, source)
        return cls(parts.old_id, new, parts.time_ns, encoded)

    @classmethod
    def claimed(cls, encoded: bytes, *, source: str = "the succession") -> Succession:
        """Read a succession of a card that is not at hand, as the new card's claim of whom it succeeds.

        The old signatures are not checked, so this vouches for no new card. Raises IdentityError.
        """
        parts = _Parts.of(encoded, source)
        return cls(parts.old_id, parts.new_card(source), parts.time_ns, encoded)

    def armoured(self) -> str:
        """Give the text that ``read_succession`` reads."""
        return _ARMOUR.encode(self.encoded)

    def __repr__(self) -> str:
        return f"Succession({self.old_id.hex()[:16]} -> {self.card!r})"


@dataclass(frozen=True, slots=True)
class _Parts:
    """What stands in a succession, with no signature checked."""

    signed_part: bytes
    by_old: tuple[bytes, bytes]
    by_new: tuple[bytes, bytes]
    old_id: bytes
    card: bytes
    time_ns: int

    @classmethod
    def of(cls, encoded: bytes, source: str) -> _Parts:
        try:
            signed_part, *signatures = _SUCCESSION.unpack(encoded)
            tag, old_id, card, time_ns = _SIGNED_PART.unpack(signed_part)
        except DecodeError as error:
            raise IdentityError(f"{source} is damaged: {error}") from None
        if tag != _TAG:
            raise IdentityError(f"{source} is not of this protocol version ({_TAG!r})")
        by_old, by_new = tuple(signatures[:2]), tuple(signatures[2:])
        return cls(signed_part, by_old, by_new, old_id, card, time_ns)

    def new_card(self, source: str) -> Card:
        """Give the new card, once it is sound and has signed."""
        new = Card.decode(self.card, source=f"the new card in {source}")
        _verify(new, self.signed_part, *self.by_new, source)
        return new


def check_fresh(new: Card, used: Iterable[Card], source: str = "the succession") -> None:
    """Raise IdentityError if new has a key of one of the used cards."""
    for card in used:
        for kind in ("x25519", "ed25519", "mldsa87"):
            if getattr(new, kind) == getattr(card, kind):
                raise IdentityError(f"{source} uses the {kind} key of {_short(card)} again")


def read_succession(path: Path, line: Iterable[Card]) -> Succession:
    """Read the succession in path, of the last card of line; raises IdentityError, naming path."""
    return Succession.decode(_read(path), line, source=str(path))


def read_claim(path: Path) -> Succession:
    """Read the succession in path as ``Succession.claimed`` does; raises IdentityError, naming path."""
    return Succession.claimed(_read(path), source=str(path))


def _read(path: Path) -> bytes:
    return _ARMOUR.decode(files.read_public(path, _ARMOUR.max_text_bytes), str(path))


def write_succession(path: Path, succession: Succession) -> None:
    """Write succession to a new file of mode 0644, durably; raises IdentityError if path exists."""
    files.create(path, succession.armoured().encode("ascii"), files.PUBLIC_MODE)


def _signatures(keys: SecretKeys, signed_part: bytes) -> tuple[bytes, bytes]:
    return keys.sign_ed25519(_CONTEXT + signed_part), keys.sign_mldsa(signed_part, _CONTEXT)


def _verify(card: Card, signed_part: bytes, ed25519: bytes, mldsa: bytes, source: str) -> None:
    try:
        card.verify_ed25519(ed25519, _CONTEXT + signed_part)
        card.verify_mldsa(mldsa, signed_part, _CONTEXT)
    except ProtocolError as error:
        raise IdentityError(f"{source} is damaged or forged: {error}") from None


def _short(card: Card) -> str:
    return f"the card {card.id.hex()[:16]} of {card.name}"
