"""A secret under a passphrase: Argon2id (RFC 9106) makes the key, AES-256-GCM seals.

What the file says of memory and time is bounded before any is spent: whoever can put a file in the
place of a key could otherwise make a station use up its machine by reading it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from hotline.errors import IdentityError
from hotline.limits import (
    AEAD_TAG_BYTES,
    KEY_LANES_MAX,
    KEY_MEMORY_MAX_KIB,
    KEY_MEMORY_MIN_KIB,
    KEY_PASSES_MAX,
    KEY_WORK_MAX_KIB,
    PASSPHRASE_BYTES,
    PASSPHRASE_CHARACTERS,
)
from hotline.strict import Field, blob, uint

SALT_BYTES: Final = 16
"""Argon2's salt (RFC 9106, section 3.1)."""
NONCE_BYTES: Final = 12
"""AES-GCM's nonce (NIST SP 800-38D, section 8.2.2); its key is used once, for the salt is new."""
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs (RFC 9106, section 3.1): memory in KiB, passes over it, lanes."""

    memory_kib: int
    passes: int
    lanes: int

    def check(self) -> None:
        """Raise IdentityError if passes over so much memory would take unreasonably long."""
        if self.memory_kib * self.passes > KEY_WORK_MAX_KIB:
            raise IdentityError(
                f"{self.passes} passes over {self.memory_kib} KiB are more work than is allowed"
            )


COST: Final = Cost(64 * 1024, 3, 4)
"""RFC 9106's second recommended choice (section 4): a fifth of a second, and a small machine has it."""

COST_FIELDS: Final[tuple[Field, ...]] = (
    uint("memory_kib", KEY_MEMORY_MAX_KIB, low=KEY_MEMORY_MIN_KIB),
    uint("passes", KEY_PASSES_MAX, low=1),
    uint("lanes", KEY_LANES_MAX, low=1),
    blob("salt", SALT_BYTES),
    blob("nonce", NONCE_BYTES),
)
"""How a file says what a guess costs, and the two numbers that are used once."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Protection:
    """How a new key file is protected; ``random(n)`` gives n bytes of the system's generator."""

    passphrase: bytes
    random: Callable[[int], bytes]
    cost: Cost = COST


def passphrase_bytes(text: str) -> bytes:
    """Give the bytes that a passphrase stands for: UTF-8 in the composed form (NFC).

    Two keyboards may spell one letter in two ways; after this they open the same file (RFC 8265,
    section 4.2.2). Raises IdentityError if it is empty, too long, or holds a control character.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise IdentityError(
            "the passphrase holds a line break, another control character, or what is no UTF-8",
            hint="give one line of text",
        )
    data = unicodedata.normalize("NFC", text).encode()
    if not 1 <= len(data) <= PASSPHRASE_BYTES:
        raise IdentityError(
            f"the passphrase is {len(data)} bytes long", hint=f"give 1 to {PASSPHRASE_BYTES} bytes"
        )
    return data


def check_new_passphrase(passphrase: bytes) -> None:
    """Raise IdentityError if a passphrase is too short to be set."""
    if len(passphrase.decode()) < PASSPHRASE_CHARACTERS:
        raise IdentityError(
            f"the passphrase is shorter than {PASSPHRASE_CHARACTERS} characters",
            hint="take six words that you draw at random, not one that you invent",
        )


def seal(secret: bytes, protection: Protection, salt: bytes, nonce: bytes, header: bytes) -> bytes:
    """Encrypt secret, and authenticate header with it; gives 16 bytes more than secret has."""
    key = _derive(protection.passphrase, protection.cost, salt)
    return AESGCM(key).encrypt(nonce, secret, header)


def unseal(
    sealed: bytes, passphrase: bytes, cost: Cost, salt: bytes, nonce: bytes, header: bytes
) -> bytes | None:
    """Give the secret; None if the passphrase is wrong or anything was changed: it looks alike."""
    try:
        return AESGCM(_derive(passphrase, cost, salt)).decrypt(nonce, sealed, header)
    except InvalidTag:
        return None


def sealed_field(name: str, secret_bytes: int) -> Field:
    """Give the field that holds a sealed secret."""
    return blob(name, secret_bytes + AEAD_TAG_BYTES)


def _derive(passphrase: bytes, cost: Cost, salt: bytes) -> bytes:
    cost.check()
    try:
        return Argon2id(
            salt=salt,
            length=_KEY_BYTES,
            iterations=cost.passes,
            lanes=cost.lanes,
            memory_cost=cost.memory_kib,
        ).derive(passphrase)
    except MemoryError:
        raise IdentityError(
            f"this machine does not give the {cost.memory_kib} KiB that the passphrase needs",
            hint="free some memory, or change the key file on another machine",
        ) from None
