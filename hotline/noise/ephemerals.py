"""The three steps of a handshake that draw randomness, as one argument of HandshakeState."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hotline.noise import dh
from hotline.noise.kem import Kem, KemKeyPair


@dataclass(frozen=True, slots=True)
class Ephemerals:
    """Where a handshake's fresh keys come from.

    Each function must give a new, unpredictable result at every call: a repeated ephemeral key ends
    forward secrecy. Anything else is for tests and the simulator only.
    ``encapsulate`` takes a KEM public key, gives (shared secret, ciphertext), and raises
    HandshakeError for a public key that is not valid.
    """

    generate_keypair: Callable[[], X25519PrivateKey]
    generate_kem_keypair: Callable[[], KemKeyPair]
    encapsulate: Callable[[bytes], tuple[bytes, bytes]]


def system_ephemerals(kem: Kem) -> Ephemerals:
    """Give the ephemerals for production: all from the operating system's randomness."""
    return Ephemerals(dh.generate_keypair, kem.generate_keypair, kem.encapsulate)
