"""The hash functions, and HMAC and HKDF over them (sections 4.3 and 12.5 to 12.8)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Hash:
    """One hash function: ``hashlen`` in bytes, ``algorithm`` as hashlib names it."""

    name: str
    hashlen: int
    algorithm: str

    def hash(self, data: bytes) -> bytes:
        """Hash data to hashlen bytes (HASH)."""
        return hashlib.new(self.algorithm, data).digest()

    def hkdf(
        self, chaining_key: bytes, input_key_material: bytes, num_outputs: int
    ) -> tuple[bytes, ...]:
        """Derive two or three outputs of hashlen bytes each (HKDF of section 4.3).

        This is RFC 5869 with the chaining key as salt and an empty info.
        """
        temp_key = hmac.digest(chaining_key, input_key_material, self.algorithm)
        outputs: list[bytes] = []
        previous = b""
        for number in range(1, num_outputs + 1):
            previous = hmac.digest(temp_key, previous + bytes([number]), self.algorithm)
            outputs.append(previous)
        return tuple(outputs)


SHA256: Final = Hash("SHA256", 32, "sha256")
SHA512: Final = Hash("SHA512", 64, "sha512")
BLAKE2S: Final = Hash("BLAKE2s", 32, "blake2s")
BLAKE2B: Final = Hash("BLAKE2b", 64, "blake2b")

HASHES: Final = {function.name: function for function in (SHA256, SHA512, BLAKE2S, BLAKE2B)}
"""Hash functions by their name in a protocol name."""
