"""CipherState: one direction's key and nonce (section 5.1)."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag

from hotline.errors import LocalMisuseError, RecordError
from hotline.noise.cipher import Aead, Buffer, Cipher
from hotline.noise.constants import KEY_BYTES, MAX_MESSAGE_BYTES, MAX_NONCE, TAG_BYTES

_MAX_PLAINTEXT_BYTES: Final = MAX_MESSAGE_BYTES - TAG_BYTES


class CipherState:
    """A key ``k``, which may be empty, and the nonce ``n`` of the next message.

    The key itself is kept only inside the library's AEAD object. An instance belongs to one
    direction and to one thread at a time: two messages under one nonce would give both away.
    """

    __slots__ = ("_aead", "_cipher", "_n", "_pack_nonce")

    def __init__(self, cipher: Cipher) -> None:
        """Begin without a key."""
        self._cipher = cipher
        self._pack_nonce = cipher.nonce.pack
        self._aead: Aead | None = None
        self._n = 0

    def initialize_key(self, key: bytes) -> None:
        """Set ``k`` to 32 bytes and ``n`` to zero (InitializeKey).

        Raises LocalMisuseError for a key of another length. The empty key is the state of a new
        instance and cannot be gone back to.
        """
        if len(key) != KEY_BYTES:
            raise LocalMisuseError(f"cipher key is {len(key)} bytes, not {KEY_BYTES}")
        self._aead = self._cipher.aead(key)
        self._n = 0

    def has_key(self) -> bool:
        """Say whether ``k`` is non-empty (HasKey)."""
        return self._aead is not None

    def set_nonce(self, nonce: int) -> None:
        """Skip to nonce, 0 to 2^64-1 (SetNonce).

        Raises LocalMisuseError for a value outside, and for a step back: the specification leaves
        that to the application's care, but no ordered transport needs it, and it means encrypting
        twice under one nonce or accepting a replay.
        """
        if not self._n <= nonce <= MAX_NONCE:
            raise LocalMisuseError(f"nonce {nonce} is not in {self._n}..{MAX_NONCE}")
        self._n = nonce

    def encrypt_with_ad(self, ad: Buffer, plaintext: Buffer) -> bytes:
        """Encrypt at most 65519 bytes to 16 more, and count the nonce up (EncryptWithAd).

        Without a key the plaintext is returned as it is. Raises LocalMisuseError for a plaintext
        that is too long, and when all 2^64-1 nonces are used.
        """
        aead = self._aead
        if aead is None:
            return bytes(plaintext)
        if len(plaintext) > _MAX_PLAINTEXT_BYTES:
            raise LocalMisuseError(f"plaintext is {len(plaintext)} bytes, too long for Noise")
        nonce = self._n
        if nonce == MAX_NONCE:
            raise LocalMisuseError("nonces are exhausted")
        ciphertext = aead.encrypt(self._pack_nonce(nonce), plaintext, ad)
        self._n = nonce + 1
        return ciphertext

    def decrypt_with_ad(self, ad: Buffer, ciphertext: Buffer) -> bytes:
        """Decrypt to 16 bytes less, and count the nonce up (DecryptWithAd).

        Without a key the ciphertext is returned as it is. Raises RecordError, and changes nothing,
        if ciphertext does not verify or is too long; raises LocalMisuseError when all 2^64-1 nonces
        are used.
        """
        aead = self._aead
        if aead is None:
            return bytes(ciphertext)
        if len(ciphertext) > MAX_MESSAGE_BYTES:
            raise RecordError(f"ciphertext is {len(ciphertext)} bytes, too long for Noise")
        nonce = self._n
        if nonce == MAX_NONCE:
            raise LocalMisuseError("nonces are exhausted")
        try:
            plaintext = aead.decrypt(self._pack_nonce(nonce), ciphertext, ad)
        except InvalidTag:
            raise RecordError(f"ciphertext number {nonce} does not verify") from None
        self._n = nonce + 1
        return plaintext

    def rekey(self) -> None:
        """Replace ``k`` by a one-way function of itself; ``n`` goes on (Rekey, section 11.3).

        The new key is REKEY's default of section 4.2: the first 32 bytes of 32 zeros encrypted
        under the reserved nonce. Raises LocalMisuseError without a key.
        """
        if self._aead is None:
            raise LocalMisuseError("rekey without a key")
        output = self._aead.encrypt(self._pack_nonce(MAX_NONCE), bytes(KEY_BYTES), b"")
        self._aead = self._cipher.aead(output[:KEY_BYTES])
