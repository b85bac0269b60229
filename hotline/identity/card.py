"""The card: who a station is, in public, signed with both of its own signature keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA87PublicKey

from hotline.errors import DecodeError, IdentityError, ProtocolError
from hotline.identity import files
from hotline.identity.armour import Armour
from hotline.identity.keys import (
    ED25519_BYTES,
    MLDSA87_BYTES,
    X25519_BYTES,
    PublicKeys,
    SecretKeys,
)
from hotline.identity.latticekeys import check_mldsa87
from hotline.identity.publickeys import check_ed25519, check_x25519
from hotline.limits import (
    ED25519_SIGNATURE_BYTES,
    KIB,
    MLDSA_SIGNATURE_BYTES,
    STATION_ID_BYTES,
)
from hotline.model import NAME_RULE
from hotline.strict import Shape, blob, text, uint

_TAG: Final = "hotline/1 card"
_CONTEXT: Final = _TAG.encode("ascii")
_ARMOUR: Final = Armour("HOTLINE CARD", 8 * KIB)
_NAME_BYTES: Final = 32
_SIGNED_PART_BYTES: Final = 3 * KIB

_SIGNED_PART: Final = Shape(
    "signed part",
    text("tag", len(_TAG)),
    text("name", _NAME_BYTES, low=1),
    blob("x25519 key", X25519_BYTES),
    blob("ed25519 key", ED25519_BYTES),
    blob("mldsa87 key", MLDSA87_BYTES),
    uint("created_ns", 2**63 - 1),
    max_bytes=_SIGNED_PART_BYTES,
)

_CARD: Final = Shape(
    "card",
    blob("signed part", _SIGNED_PART_BYTES, low=1),
    blob("ed25519 signature", ED25519_SIGNATURE_BYTES),
    blob("mldsa87 signature", MLDSA_SIGNATURE_BYTES),
    max_bytes=_ARMOUR.max_bytes,
)


def check_name(name: str) -> None:
    """Raise IdentityError unless name may name a station or a line."""
    if NAME_RULE.fullmatch(name) is None:
        raise IdentityError(
            f"{name!a} is not a name",
            hint="use 1 to 32 lower-case letters, digits and hyphens, not a hyphen first",
        )


@dataclass(frozen=True, repr=False)
class Card:
    """A station's public identity; only ``make``, ``decode`` and ``parse`` vouch for the contents.

    ``x25519`` and ``ed25519`` are 32 bytes, ``mldsa87`` is 2592; ``created_ns`` is UNIX time.
    Two cards are equal when their signed parts are: one text may carry several valid signatures.
    """

    name: str = field(compare=False)
    x25519: bytes = field(compare=False)
    ed25519: bytes = field(compare=False)
    mldsa87: bytes = field(compare=False)
    created_ns: int = field(compare=False)
    signed_part: bytes
    encoded: bytes = field(compare=False)

    @classmethod
    def make(cls, name: str, keys: SecretKeys, created_ns: int) -> Card:
        """Make and sign the card of the station that holds keys.

        Raises IdentityError for an illegal name.
        """
        check_name(name)
        public = keys.public()
        signed_part = _SIGNED_PART.pack(
            _TAG, name, public.x25519, public.ed25519, public.mldsa87, created_ns
        )
        encoded = _CARD.pack(
            signed_part,
            keys.sign_ed25519(_CONTEXT + signed_part),
            keys.sign_mldsa(signed_part, _CONTEXT),
        )
        # A card that others would refuse must not leave this station.
        return cls.decode(encoded)

    @classmethod
    def parse(cls, armoured: str | bytes, *, source: str = "the card") -> Card:
        """Read an armoured card from anyone; source names it in errors.

        Raises IdentityError unless every check of ``decode`` passes.
        """
        return cls.decode(_ARMOUR.decode(armoured, source), source=source)

    @classmethod
    def decode(cls, encoded: bytes, *, source: str = "the card") -> Card:
        """Read a card's bytes from anyone: form, name, keys fit to be pinned, both signatures.

        Raises IdentityError.
        """
        try:
            signed_part, ed25519_signature, mldsa_signature = _CARD.unpack(encoded)
            tag, name, x25519, ed25519, mldsa87, created_ns = _SIGNED_PART.unpack(signed_part)
        except DecodeError as error:
            raise IdentityError(f"{source} is damaged: {error}") from None
        if tag != _TAG:
            raise IdentityError(f"{source} is not a card of this protocol version ({_TAG!r})")
        try:
            check_name(name)
        except IdentityError as error:
            raise IdentityError(f"{source} is unfit: {error}") from None
        # Before the signatures: under an unsafe key they would prove nothing.
        check_x25519(x25519, source)
        check_ed25519(ed25519, source)
        check_mldsa87(mldsa87, source)
        card = cls(name, x25519, ed25519, mldsa87, created_ns, signed_part, encoded)
        try:
            card.verify_ed25519(ed25519_signature, _CONTEXT + signed_part)
            card.verify_mldsa(mldsa_signature, signed_part, _CONTEXT)
        except ProtocolError as error:
            raise IdentityError(
                f"{source} is damaged or forged: {error}", hint="fetch the card again"
            ) from None
        return card

    @cached_property
    def id(self) -> bytes:
        """The station id: the first 32 bytes of SHA-512 over the signed part."""
        return hashlib.sha512(self.signed_part).digest()[:STATION_ID_BYTES]

    def public(self) -> PublicKeys:
        """Give the three public keys."""
        return PublicKeys(self.x25519, self.ed25519, self.mldsa87)

    def armoured(self) -> str:
        """Give the text that ``parse`` reads."""
        return _ARMOUR.encode(self.encoded)

    def verify_ed25519(self, signature: bytes, data: bytes) -> None:
        """Check an Ed25519 signature of 64 bytes over data (RFC 8032, section 5.1.7).

        Raises ProtocolError.
        """
        try:
            self._ed25519_key.verify(signature, data)
        except InvalidSignature:
            raise ProtocolError(f"the Ed25519 signature of {self.name} does not verify") from None

    def verify_mldsa(self, signature: bytes, data: bytes, context: bytes) -> None:
        """Check an ML-DSA-87 signature of 4627 bytes over data under context (FIPS 204, 5.3).

        Raises ProtocolError.
        """
        try:
            self._mldsa87_key.verify(signature, data, context)
        except InvalidSignature:
            raise ProtocolError(f"the ML-DSA-87 signature of {self.name} does not verify") from None

    def __repr__(self) -> str:
        return f"Card({self.name!r}, id={self.id.hex()[:16]}...)"

    # Unpacking a key costs as much as using it, and a card verifies many times a second.

    @cached_property
    def _ed25519_key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.ed25519)

    @cached_property
    def _mldsa87_key(self) -> MLDSA87PublicKey:
        return MLDSA87PublicKey.from_public_bytes(self.mldsa87)


def read_card(path: Path) -> Card:
    """Read the card in path; raises IdentityError, naming path."""
    return Card.parse(files.read_public(path, _ARMOUR.max_text_bytes), source=str(path))


def write_card(path: Path, card: Card) -> None:
    """Write card to a new file of mode 0644, durably; raises IdentityError, also if path exists."""
    files.create(path, card.armoured().encode("ascii"), files.PUBLIC_MODE)
