"""The independent implementation ``noiseprotocol``, taught the two tokens of hfs.

Its own code keeps all of its own tokens: a message pattern is fed to it one token at a time, and
only ``e1`` and ``ekem1`` are worked here, with ``kyber_py`` as a second ML-KEM.
"""

from typing import Any, Final

from kyber_py.ml_kem import ML_KEM_1024
from noise.backends.default.backend import DefaultNoiseBackend
from noise.connection import Keypair, NoiseConnection
from noise.patterns import PatternKK
from noise.state import HandshakeState, SymmetricState

_TAG_BYTES: Final = 16
_KEM_BYTES: Final = 1568
_DH_NAME: Final = "25519+MLKEM1024"


class _KKhfs(PatternKK):  # type: ignore[misc]
    def apply_pattern_modifiers(self, modifiers: list[str]) -> None:
        assert modifiers[0] == "hfs"
        self.tokens = [["e", "es", "e1", "ss"], ["e", "ee", "ekem1", "se"]]
        super().apply_pattern_modifiers(modifiers[1:])


class _Backend(DefaultNoiseBackend):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.patterns["KK"] = _KKhfs
        self.diffie_hellmans[_DH_NAME] = self.diffie_hellmans["25519"]
        self.keypairs[_DH_NAME] = self.keypairs["25519"]


class _TokenwiseSymmetric(SymmetricState):  # type: ignore[misc]
    """Leaves out the payload that ends each call, while tokens are fed one at a time."""

    def encrypt_and_hash(self, plaintext: bytes | None) -> bytes:
        result: bytes = b"" if plaintext is None else super().encrypt_and_hash(plaintext)
        return result

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        # With a key there is always a tag, so nothing at all can only be a payload left out.
        result: bytes = super().decrypt_and_hash(ciphertext) if ciphertext else b""
        return result


class _HfsHandshake(HandshakeState):  # type: ignore[misc]
    message_patterns: list[list[str]]
    kem_public_key: bytes
    kem_private_key: bytes

    def write_message(self, payload: bytes, message_buffer: bytearray) -> Any:
        tokens, *later = self.message_patterns
        for token in tokens:
            if token == "e1":
                public_key, self.kem_private_key = ML_KEM_1024.keygen()
                message_buffer += self.symmetric_state.encrypt_and_hash(public_key)
            elif token == "ekem1":
                shared_secret, ciphertext = ML_KEM_1024.encaps(self.kem_public_key)
                message_buffer += self.symmetric_state.encrypt_and_hash(ciphertext)
                self.symmetric_state.mix_key(shared_secret)
            else:
                self.message_patterns = [[token], []]
                super().write_message(None, message_buffer)
        self.message_patterns = [[], *later]
        return super().write_message(payload, message_buffer)

    def read_message(self, message: bytes, payload_buffer: bytearray) -> Any:
        tokens, *later = self.message_patterns
        for token in tokens:
            if token in ("e1", "ekem1"):
                size_bytes = _KEM_BYTES + _TAG_BYTES
                opened = self.symmetric_state.decrypt_and_hash(message[:size_bytes])
                message = message[size_bytes:]
                if token == "e1":
                    self.kem_public_key = opened
                else:
                    shared_secret = ML_KEM_1024.decaps(self.kem_private_key, opened)
                    self.symmetric_state.mix_key(shared_secret)
            else:
                size_bytes = 32 if token == "e" else 0
                self.message_patterns = [[token], []]
                super().read_message(message[:size_bytes], bytearray())
                message = message[size_bytes:]
        self.message_patterns = [[], *later]
        return super().read_message(message, payload_buffer)


def oracle(
    name: str,
    *,
    initiator: bool,
    prologue: bytes,
    s: bytes,
    rs: bytes | None,
    psks: list[bytes],
) -> Any:
    """Give one side of a handshake, ready for its first message; keys are raw bytes."""
    hfs = "hfs" in name
    backend = {"backend": _Backend()} if hfs else {}
    connection = NoiseConnection.from_name(name.encode(), **backend)
    (connection.set_as_initiator if initiator else connection.set_as_responder)()
    connection.set_prologue(prologue)
    connection.set_keypair_from_private_bytes(Keypair.STATIC, s)
    if rs is not None:
        connection.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, rs)
    if psks:
        connection.set_psks(psks=psks)
    connection.start_handshake()
    if hfs:
        state = connection.noise_protocol.handshake_state
        state.__class__ = _HfsHandshake
        state.symmetric_state.__class__ = _TokenwiseSymmetric
    return connection
