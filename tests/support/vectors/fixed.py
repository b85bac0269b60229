"""What all vectors are made from: two stations of known seeds, and nothing drawn at random.

Two things in the protocol are random by nature: ML-DSA signatures, which are hedged, and ML-KEM
ciphertexts. Here they come from independent implementations that can do without randomness (FIPS 204,
section 5.2, "deterministic"; FIPS 203, algorithm 17, with a given m). Never do so outside a vector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgpack  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from dilithium_py.ml_dsa import ML_DSA_87
from kyber_py.ml_kem import ML_KEM_1024

from hotline.identity import Card, SecretKeys
from hotline.line.pairing import Pairing
from hotline.noise.ephemerals import Ephemerals
from hotline.wire import handshake

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, object]

CREATED_NS: Final = 1_795_443_000_000_000_000
NOW_NS: Final = 1_795_447_800_000_000_000
LINE_SECRET: Final = bytes([0xAA]) * 32


class Station:
    """A station whose three seeds are 32 equal bytes each, counting up from ``first_seed``."""

    def __init__(self, name: str, first_seed: int) -> None:
        self.name = name
        self.seeds = [bytes([first_seed + n]) * 32 for n in range(3)]
        self.keys = SecretKeys.from_seeds(*self.seeds)
        public, self._mldsa = ML_DSA_87.key_derive(self.seeds[2])
        assert public == self.keys.public().mldsa87
        self.card = self._card()

    def sign_mldsa(self, data: bytes, context: bytes) -> bytes:
        """Sign without randomness."""
        signature: bytes = ML_DSA_87.sign(self._mldsa, data, ctx=context, deterministic=True)
        return signature

    def _card(self) -> Card:
        hedged = Card.make(self.name, self.keys, CREATED_NS)
        signed_part, ed25519, _ = msgpack.unpackb(hedged.encoded)
        fixed = self.sign_mldsa(signed_part, b"hotline/1 card")
        return Card.decode(msgpack.packb([signed_part, ed25519, fixed]))


ALPHA: Final = Station("alpha", 1)
BRAVO: Final = Station("bravo", 4)


class FixedPairing(Pairing):
    """A pairing whose attestations are made without randomness."""

    def __init__(self, own: Station, peer: Station, line_secret: bytes = b"") -> None:
        super().__init__(own.keys, own.card, peer.card, line_secret)
        self._station = own

    def attest(self, *, initiator: bool, handshake_hash: bytes) -> bytes:
        message = handshake.attestation_message(initiator=initiator, handshake_hash=handshake_hash)
        return self._station.sign_mldsa(message, handshake.ATTEST_CONTEXT)


def ephemerals(x25519: bytes, kem_seed: bytes = b"", kem_m: bytes = b"") -> Ephemerals:
    """Give one side's ephemerals: an X25519 scalar, and ML-KEM's seed (d, z) or encapsulation's m."""

    def encapsulate(public_key: bytes) -> tuple[bytes, bytes]:
        secret, ciphertext = ML_KEM_1024._encaps_internal(public_key, kem_m)
        return secret, ciphertext

    return Ephemerals(
        lambda: X25519PrivateKey.from_private_bytes(x25519),
        lambda: MLKEM1024PrivateKey.from_seed_bytes(kem_seed),
        encapsulate,
    )


def spelled(value: object) -> object:
    """Give a value as JSON holds it: bytes in hexadecimal, whole numbers from 2^53 on as text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and value >= 2**53:
        return str(value)  # many readers of JSON would round it
    if isinstance(value, dict):
        return mapped(value)
    if isinstance(value, list | tuple):
        return [spelled(one) for one in value]
    return value


def mapped(values: Mapping[str, object]) -> Json:
    """Give an object's values as JSON holds them."""
    return {name: spelled(value) for name, value in values.items()}
