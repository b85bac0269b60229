"""The DH functions named 25519: X25519 of RFC 7748 (sections 4.1 and 12.1).

A key pair is the library's private key object, so that secret scalars stay inside OpenSSL, which
wipes them; a public key is its 32 bytes.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from hotline.errors import HandshakeError

NAME: Final = "25519"
DHLEN: Final = 32


def generate_keypair() -> X25519PrivateKey:
    """Make a new key pair from the operating system's randomness (GENERATE_KEYPAIR)."""
    return X25519PrivateKey.generate()


def public_key(key_pair: X25519PrivateKey) -> bytes:
    """Give the 32 bytes of a key pair's public key."""
    return key_pair.public_key().public_bytes_raw()


def dh(key_pair: X25519PrivateKey, remote_public_key: bytes) -> bytes:
    """Compute the 32-byte shared secret of RFC 7748, section 6.1.

    Raises HandshakeError for a public key of another length, and for one of low order. Noise lets
    an implementation choose whether to accept the all-zero secret that such a key gives; here it
    would let a peer fix a secret that is meant to depend on us, so it is refused.
    """
    try:
        return key_pair.exchange(X25519PublicKey.from_public_bytes(remote_public_key))
    except ValueError:
        raise HandshakeError("x25519 public key is of low order or not 32 bytes") from None
