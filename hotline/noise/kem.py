"""The KEM functions: ML-KEM of FIPS 203 (hfs section 3).

As with DH, a key pair is the library's private key object; public keys, ciphertexts and shared
secrets are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)

from hotline.errors import HandshakeError


class KemPublicKey(Protocol):
    """What is used of the library's public key objects."""

    def encapsulate(self) -> tuple[bytes, bytes]:
        """Give (shared secret, ciphertext)."""

    def public_bytes_raw(self) -> bytes:
        """Give the encoded public key."""


class KemKeyPair(Protocol):
    """What is used of the library's private key objects."""

    def public_key(self) -> KemPublicKey:
        """Give the public half."""

    def decapsulate(self, ciphertext: bytes, /) -> bytes:
        """Give the shared secret, or raise ValueError for a wrong length."""


@dataclass(frozen=True, slots=True)
class Kem:
    """One parameter set of ML-KEM, with its sizes in bytes (FIPS 203, table 3)."""

    name: str
    public_key_bytes: int
    ciphertext_bytes: int
    key_pair_type: type[MLKEM768PrivateKey | MLKEM1024PrivateKey]
    public_key_type: type[MLKEM768PublicKey | MLKEM1024PublicKey]

    def generate_keypair(self) -> KemKeyPair:
        """Make a new key pair from the operating system's randomness (GENERATE_KEM_KEYPAIR)."""
        return self.key_pair_type.generate()

    def check_public_key(self, public_key: bytes) -> None:
        """Raise HandshakeError unless public_key passes the checks of FIPS 203, section 7.2."""
        self._public_key(public_key)

    def encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """Make a 32-byte shared secret and the ciphertext that carries it, in this order.

        This is GENERATE_KEM_CIPHERTEXT, with the operating system's randomness. Raises
        HandshakeError for a public key that ``check_public_key`` refuses.
        """
        return self._public_key(public_key).encapsulate()

    def decapsulate(self, key_pair: KemKeyPair, ciphertext: bytes) -> bytes:
        """Recover the 32-byte shared secret (KEM).

        Raises HandshakeError for a ciphertext of the wrong length. A forged one of the right length
        gives an unrelated secret, not an error (implicit rejection): the next tag will not verify.
        """
        try:
            return key_pair.decapsulate(ciphertext)
        except ValueError:
            raise HandshakeError(f"{self.name} ciphertext has the wrong length") from None

    def _public_key(self, public_key: bytes) -> KemPublicKey:
        try:
            return self.public_key_type.from_public_bytes(public_key)
        except ValueError:
            raise HandshakeError(f"{self.name} public key is not valid") from None


MLKEM768: Final = Kem("MLKEM768", 1184, 1088, MLKEM768PrivateKey, MLKEM768PublicKey)
MLKEM1024: Final = Kem("MLKEM1024", 1568, 1568, MLKEM1024PrivateKey, MLKEM1024PublicKey)

KEMS: Final = {kem.name: kem for kem in (MLKEM768, MLKEM1024)}
"""KEM functions by their name in a protocol name."""
