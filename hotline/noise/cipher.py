"""The cipher functions: AESGCM and ChaChaPoly, 32-byte keys (sections 4.2, 12.3 and 12.4)."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

Aead: TypeAlias = AESGCM | ChaCha20Poly1305
Buffer: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Cipher:
    """One AEAD, and the layout of its 12-byte nonce: 32 zero bits, then the 64-bit counter."""

    name: str
    aead: type[AESGCM | ChaCha20Poly1305]
    nonce: Struct


AES_GCM: Final = Cipher("AESGCM", AESGCM, Struct(">4xQ"))
CHACHA_POLY: Final = Cipher("ChaChaPoly", ChaCha20Poly1305, Struct("<4xQ"))

CIPHERS: Final = {cipher.name: cipher for cipher in (AES_GCM, CHACHA_POLY)}
"""Cipher functions by their name in a protocol name."""
