"""The courier key: what courier files for a station are sealed to (docs/protocol.md, "Courier").

HPKE (RFC 9180, mode base, single shot) with the hybrid KEM MLKEM1024-P384 (draft-ietf-hpke-pq, KEM
0x0051), HKDF-SHA512 and AES-256-GCM. Both key pairs follow from the station's three seeds, so there is
no further secret to keep, copy or lose. What is sealed stays secret if either ML-KEM-1024 or P-384
holds; but whoever gets the seeds later opens every file that was kept: a file has no second message,
and so no forward secrecy.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke, serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP384R1,
    EllipticCurvePublicKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey, MLKEM1024PublicKey

from hotline.errors import DecodeError, IdentityError, ProtocolError
from hotline.identity.armour import Armour
from hotline.limits import (
    COURIER_KEY_BYTES,
    ED25519_SIGNATURE_BYTES,
    KIB,
    MLDSA_SIGNATURE_BYTES,
    STATION_ID_BYTES,
)
from hotline.strict import Shape, blob, text

if TYPE_CHECKING:
    from hotline.identity.card import Card
    from hotline.identity.keys import SecretKeys

MLKEM1024_BYTES: Final = 1568
P384_BYTES: Final = 97
"""An uncompressed point (SEC 1, section 2.3.3)."""

SEALED_OVERHEAD_BYTES: Final = MLKEM1024_BYTES + P384_BYTES + 16
"""What sealing adds: both encapsulations and the tag."""

SIGNED_PART_BYTES: Final = 1727
"""Every field of it has one size."""

_TAG: Final = "hotline/1 courier key"
_CONTEXT: Final = _TAG.encode("ascii")
_SALT: Final = b"hotline/1 courier"
_SUITE: Final = hpke.Suite(hpke.KEM.MLKEM1024_P384, hpke.KDF.HKDF_SHA512, hpke.AEAD.AES_256_GCM)
_P384_ORDER: Final = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
"""The order of P-384's group (SP 800-186, section 3.2.1.4)."""

_SIGNED_PART: Final = Shape(
    "signed part",
    text("tag", len(_TAG)),
    blob("station id", STATION_ID_BYTES),
    blob("mlkem1024 key", MLKEM1024_BYTES),
    blob("p384 key", P384_BYTES),
    max_bytes=SIGNED_PART_BYTES,
)

_COURIER_KEY: Final = Shape(
    "courier key",
    blob("signed part", SIGNED_PART_BYTES),
    blob("ed25519 signature", ED25519_SIGNATURE_BYTES),
    blob("mldsa87 signature", MLDSA_SIGNATURE_BYTES),
    max_bytes=COURIER_KEY_BYTES,
)

_ARMOUR: Final = Armour("HOTLINE COURIER KEY", 8 * KIB)


class CourierSecret:
    """The private half, made from a station's seeds; no way of printing it shows anything."""

    def __init__(self, keys: SecretKeys) -> None:
        """Derive both key pairs; it takes a few milliseconds."""
        prk = hmac.digest(_SALT, b"".join(keys.seeds()), "sha512")
        # 64 bytes for 48: what the remainder favours is then out of all reach.
        wide = int.from_bytes(_expand(prk, b"p384"), "big")
        p384 = derive_private_key(wide % (_P384_ORDER - 1) + 1, SECP384R1())
        mlkem = MLKEM1024PrivateKey.from_seed_bytes(_expand(prk, b"mlkem1024"))
        self._key = hpke.MLKEM1024P384PrivateKey(mlkem, p384)
        self.mlkem1024 = mlkem.public_key().public_bytes_raw()
        self.p384 = p384.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """Give what was sealed to this key under info; raises DecodeError for anything else."""
        try:
            return _SUITE.decrypt(sealed, self._key, info)
        except InvalidTag:
            raise DecodeError("it is damaged, or was not sealed for this line") from None


def _expand(prk: bytes, info: bytes) -> bytes:
    """Give 64 bytes (RFC 5869, section 2.3, with SHA-512 and a single block)."""
    return hmac.digest(prk, info + b"\x01", "sha512")


@dataclass(frozen=True, slots=True)
class CourierKey:
    """The public half, signed by its station with both signature keys.

    Two are equal when their signed parts are: one text may carry several valid signatures.
    """

    mlkem1024: bytes = field(compare=False)
    p384: bytes = field(compare=False)
    signed_part: bytes
    encoded: bytes = field(compare=False)

    @classmethod
    def make(cls, keys: SecretKeys, card: Card, secret: CourierSecret) -> CourierKey:
        """Sign the public half of secret as the station of card."""
        signed_part = _SIGNED_PART.pack(_TAG, card.id, secret.mlkem1024, secret.p384)
        encoded = _COURIER_KEY.pack(
            signed_part,
            keys.sign_ed25519(_CONTEXT + signed_part),
            keys.sign_mldsa(signed_part, _CONTEXT),
        )
        return cls(secret.mlkem1024, secret.p384, signed_part, encoded)

    @classmethod
    def decode(cls, encoded: bytes, card: Card) -> CourierKey:
        """Read the courier key of card's station; raises DecodeError or ProtocolError.

        Checked: form, station, both signatures, and that both keys are fit for use (FIPS 203,
        section 7.2; SP 800-56A, section 5.6.2.3.3).
        """
        signed_part, ed25519_signature, mldsa_signature = _COURIER_KEY.unpack(encoded)
        tag, station_id, mlkem1024, p384 = _SIGNED_PART.unpack(signed_part)
        if tag != _TAG:
            raise DecodeError(f"it is not a courier key of this protocol version ({_TAG!r})")
        if station_id != card.id:
            raise ProtocolError(f"the courier key is not that of {card.name}")
        card.verify_ed25519(ed25519_signature, _CONTEXT + signed_part)
        card.verify_mldsa(mldsa_signature, signed_part, _CONTEXT)
        key = cls(mlkem1024, p384, signed_part, encoded)
        key.check()
        return key

    def check(self) -> None:
        """Raise DecodeError unless both keys are fit for use."""
        self._sealing_key()

    def _sealing_key(self) -> hpke.MLKEM1024P384PublicKey:
        try:
            return hpke.MLKEM1024P384PublicKey(
                MLKEM1024PublicKey.from_public_bytes(self.mlkem1024),
                EllipticCurvePublicKey.from_encoded_point(SECP384R1(), self.p384),
            )
        except ValueError:
            raise DecodeError("the courier key holds a key that is not valid") from None

    def seal(self, plaintext: bytes, info: bytes) -> bytes:
        """Seal plaintext to this key under info; adds SEALED_OVERHEAD_BYTES."""
        return _SUITE.encrypt(plaintext, self._sealing_key(), info)


def station_of(encoded: bytes) -> bytes:
    """Give the id of the station that an encoded courier key names; raises DecodeError."""
    signed_part = _COURIER_KEY.unpack(encoded)[0]
    station_id: bytes = _SIGNED_PART.unpack(signed_part)[1]
    return station_id


def armoured(encoded: bytes) -> str:
    """Give an encoded courier key as a text for a file or a mail."""
    return _ARMOUR.encode(encoded)


def dearmoured(armour: str, source: str) -> bytes:
    """Give the encoded courier key in a text; raises IdentityError, naming source."""
    encoded = _ARMOUR.decode(armour, source)
    try:
        station_of(encoded)
    except DecodeError as error:
        raise IdentityError(f"{source} is damaged: {error}") from None
    return encoded
