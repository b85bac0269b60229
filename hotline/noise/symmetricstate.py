"""SymmetricState: the chaining key and the running hash of a handshake (section 5.2)."""

from __future__ import annotations

from copy import copy

from hotline.errors import HandshakeError, RecordError
from hotline.noise.cipherstate import CipherState
from hotline.noise.constants import KEY_BYTES
from hotline.noise.protocol import Protocol


class SymmetricState:
    """``ck`` and ``h``, of HASHLEN bytes each, and the CipherState of the current key."""

    __slots__ = ("_cipher", "_cipher_state", "_ck", "_h", "_hash")

    def __init__(self, protocol: Protocol) -> None:
        """Begin from the protocol name alone (InitializeSymmetric)."""
        self._hash = protocol.hash
        self._cipher = protocol.cipher
        name = protocol.name.encode("ascii")
        fits = len(name) <= self._hash.hashlen
        self._h = name.ljust(self._hash.hashlen, b"\0") if fits else self._hash.hash(name)
        self._ck = self._h
        self._cipher_state = CipherState(self._cipher)

    def copy(self) -> SymmetricState:
        """Give an independent copy, to try a message on; of the two only one may live on."""
        twin = copy(self)
        twin._cipher_state = copy(self._cipher_state)
        return twin

    def has_key(self) -> bool:
        """Say whether what is sent now is encrypted, and thus 16 bytes longer."""
        return self._cipher_state.has_key()

    def mix_key(self, input_key_material: bytes) -> None:
        """Take a secret into ``ck`` and set a new cipher key (MixKey)."""
        self._ck, temp_k = self._hash.hkdf(self._ck, input_key_material, 2)
        self._cipher_state.initialize_key(temp_k[:KEY_BYTES])

    def mix_hash(self, data: bytes) -> None:
        """Take public data into ``h`` (MixHash)."""
        self._h = self._hash.hash(self._h + data)

    def mix_key_and_hash(self, input_key_material: bytes) -> None:
        """Take a pre-shared key into ``ck`` and ``h`` and set a new cipher key (MixKeyAndHash)."""
        self._ck, temp_h, temp_k = self._hash.hkdf(self._ck, input_key_material, 3)
        self.mix_hash(temp_h)
        self._cipher_state.initialize_key(temp_k[:KEY_BYTES])

    def get_handshake_hash(self) -> bytes:
        """Give ``h``; it names the whole session once the handshake is done (GetHandshakeHash)."""
        return self._h

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """Encrypt under ``h`` as associated data, if there is a key, and hash (EncryptAndHash).

        Raises LocalMisuseError for a plaintext that no Noise message can hold.
        """
        ciphertext = self._cipher_state.encrypt_with_ad(self._h, plaintext)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        """Decrypt under ``h`` as associated data, if there is a key, and hash (DecryptAndHash).

        Raises HandshakeError, and changes nothing, if ciphertext does not verify.
        """
        try:
            plaintext = self._cipher_state.decrypt_with_ad(self._h, ciphertext)
        except RecordError:
            raise HandshakeError("handshake message does not verify") from None
        self.mix_hash(ciphertext)
        return plaintext

    def split(self) -> tuple[CipherState, CipherState]:
        """Give the CipherStates from initiator to responder and back, in this order (Split)."""
        first, second = CipherState(self._cipher), CipherState(self._cipher)
        temp_k1, temp_k2 = self._hash.hkdf(self._ck, b"", 2)
        first.initialize_key(temp_k1[:KEY_BYTES])
        second.initialize_key(temp_k2[:KEY_BYTES])
        return first, second
