"""The secret keys of a station: X25519 (RFC 7748), Ed25519 (RFC 8032), ML-DSA-87 (FIPS 204)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA87PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hotline.errors import LocalMisuseError

SEED_BYTES: Final = 32
"""The seed of each of the three keys (RFC 7748, 5; RFC 8032, 5.1.5; FIPS 204, algorithm 1)."""

X25519_BYTES: Final = 32
ED25519_BYTES: Final = 32
MLDSA87_BYTES: Final = 2592


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """The public halves as raw bytes: 32, 32 and 2592."""

    x25519: bytes
    ed25519: bytes
    mldsa87: bytes


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SecretKeys:
    """A station's three private keys; no way of printing it shows one."""

    x25519: X25519PrivateKey
    ed25519: Ed25519PrivateKey
    mldsa87: MLDSA87PrivateKey

    @classmethod
    def generate(cls, random: Callable[[int], bytes]) -> SecretKeys:
        """Make new keys; ``random(n)`` must give n bytes from the operating system's generator.

        Raises LocalMisuseError if random gives another length.
        """
        return cls.from_seeds(random(SEED_BYTES), random(SEED_BYTES), random(SEED_BYTES))

    @classmethod
    def from_seeds(cls, x25519: bytes, ed25519: bytes, mldsa87: bytes) -> SecretKeys:
        """Make the keys that three seeds of 32 bytes stand for.

        Raises LocalMisuseError for another length.
        """
        if any(len(seed) != SEED_BYTES for seed in (x25519, ed25519, mldsa87)):
            raise LocalMisuseError(f"a seed is not {SEED_BYTES} bytes")
        return cls(
            X25519PrivateKey.from_private_bytes(x25519),
            Ed25519PrivateKey.from_private_bytes(ed25519),
            MLDSA87PrivateKey.from_seed_bytes(mldsa87),
        )

    def seeds(self) -> tuple[bytes, bytes, bytes]:
        """Give the three seeds of 32 bytes, in the order of ``from_seeds``, for the key file."""
        return (
            self.x25519.private_bytes_raw(),
            self.ed25519.private_bytes_raw(),
            self.mldsa87.private_bytes_raw(),
        )

    def public(self) -> PublicKeys:
        """Give the public halves."""
        return PublicKeys(
            self.x25519.public_key().public_bytes_raw(),
            self.ed25519.public_key().public_bytes_raw(),
            self.mldsa87.public_key().public_bytes_raw(),
        )

    def sign_ed25519(self, data: bytes) -> bytes:
        """Sign data with Ed25519 (RFC 8032, section 5.1.6): 64 bytes."""
        return self.ed25519.sign(data)

    def sign_mldsa(self, data: bytes, context: bytes) -> bytes:
        """Sign data under context, at most 255 bytes, with ML-DSA-87 (FIPS 204, 5.2): 4627 bytes.

        The signature is hedged: OpenSSL mixes in randomness of its own, so that a fault injected
        into one computation leaves no sound signature of the same text to compare with.
        """
        return self.mldsa87.sign(data, context)

    def __repr__(self) -> str:
        return "SecretKeys(...)"
