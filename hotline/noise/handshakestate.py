"""HandshakeState: who sends which key when (section 5.3, hfs section 4).

One law: a message is worked through on a copy of the variables, and the copy is kept only after the
last check. So a message that is refused, or one that could not be written, leaves no trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hotline.errors import HandshakeError, LocalMisuseError
from hotline.noise import dh
from hotline.noise.cipherstate import CipherState
from hotline.noise.constants import MAX_MESSAGE_BYTES, PSK_BYTES, TAG_BYTES
from hotline.noise.ephemerals import Ephemerals
from hotline.noise.kem import KemKeyPair
from hotline.noise.patterns import Token
from hotline.noise.protocol import Protocol
from hotline.noise.symmetricstate import SymmetricState

_T = TypeVar("_T")


@dataclass(slots=True)
class _Variables:
    """All that a message may change, under the specification's names."""

    symmetric: SymmetricState
    psks: tuple[bytes, ...]
    rs: bytes | None
    e: X25519PrivateKey | None = None
    re: bytes | None = None
    e1: KemKeyPair | None = None
    re1: bytes | None = None

    def copy(self) -> _Variables:
        return replace(self, symmetric=self.symmetric.copy())


@dataclass(slots=True)
class _Reader:
    """The bytes of a received message that no token has taken yet."""

    rest: bytes

    def take(self, size_bytes: int) -> bytes:
        if len(self.rest) < size_bytes:
            raise HandshakeError("handshake message is too short")
        taken, self.rest = self.rest[:size_bytes], self.rest[size_bytes:]
        return taken


class HandshakeState:
    """One side of one handshake, from its first message to Split.

    Call ``write_message`` and ``read_message`` in turn, the initiator writing first, until
    ``is_complete()``; then ``get_handshake_hash`` and ``split``.
    """

    def __init__(
        self,
        protocol: Protocol,
        *,
        initiator: bool,
        prologue: bytes,
        ephemerals: Ephemerals,
        s: X25519PrivateKey | None = None,
        rs: bytes | None = None,
        psks: Sequence[bytes] = (),
    ) -> None:
        """Mix in all that both sides know beforehand (Initialize).

        ``s`` is our static key pair and ``rs`` the peer's 32-byte static public key; each must be
        given exactly if the pattern needs it at the start. ``psks`` are as many 32-byte keys as the
        pattern has psk tokens, in their order. Raises LocalMisuseError for anything else.
        """
        pattern = protocol.pattern
        pre_messages = (pattern.initiator_pre_message, pattern.responder_pre_message)
        own_pre_message, peer_pre_message = pre_messages if initiator else pre_messages[::-1]
        own_messages = pattern.messages[0 if initiator else 1 :: 2]
        needs_s = any("s" in message for message in (own_pre_message, *own_messages))
        _check_given("s", given=s is not None, needed=needs_s)
        _check_given("rs", given=rs is not None, needed="s" in peer_pre_message)
        if rs is not None and len(rs) != dh.DHLEN:
            raise LocalMisuseError(f"rs is {len(rs)} bytes, not {dh.DHLEN}")
        if [len(psk) for psk in psks] != [PSK_BYTES] * pattern.count_psks():
            raise LocalMisuseError(f"{protocol.name} takes {pattern.count_psks()} psks of 32 bytes")

        self._protocol = protocol
        self._initiator = initiator
        self._ephemerals = ephemerals
        self._s = s
        self._messages_done = 0
        self._outcome: tuple[CipherState, CipherState] | None = None
        self._handshake_hash = b""

        symmetric = SymmetricState(protocol)
        symmetric.mix_hash(prologue)
        own_public_key = dh.public_key(s) if s is not None else None
        statics = (own_public_key, rs) if initiator else (rs, own_public_key)
        for pre_message, static in zip(pre_messages, statics, strict=True):
            if "s" in pre_message:
                symmetric.mix_hash(_present(static))
        self._variables: _Variables | None = _Variables(symmetric, tuple(psks), rs)

    def write_message(self, payload: bytes) -> bytes:
        """Give our next message, with payload in it; 65535 bytes at most (WriteMessage).

        Raises LocalMisuseError if it is not our turn or the message would be too long, and
        HandshakeError if a key that the peer sent earlier turns out to be unusable. Either way
        nothing changes.
        """
        draft, tokens = self._begin(writing=True)
        parts = [self._write_token(draft, token) for token in tokens]
        parts.append(draft.symmetric.encrypt_and_hash(payload))
        message = b"".join(parts)
        if len(message) > MAX_MESSAGE_BYTES:
            raise LocalMisuseError(f"handshake message would be {len(message)} bytes")
        self._commit(draft)
        return message

    def read_message(self, message: bytes) -> bytes:
        """Give the payload of the peer's next message (ReadMessage).

        Raises HandshakeError if the message does not verify in every part, and LocalMisuseError if
        it is not the peer's turn. Either way nothing changes, and the right message may still come.
        """
        draft, tokens = self._begin(writing=False)
        if len(message) > MAX_MESSAGE_BYTES:
            raise HandshakeError(f"handshake message is {len(message)} bytes")
        reader = _Reader(message)
        for token in tokens:
            self._read_token(draft, token, reader)
        payload = draft.symmetric.decrypt_and_hash(reader.rest)
        self._commit(draft)
        return payload

    def is_complete(self) -> bool:
        """Say whether every message of the pattern has been written and read."""
        return self._messages_done == len(self._protocol.pattern.messages)

    def get_handshake_hash(self) -> bytes:
        """Give the HASHLEN bytes that name this session alone (GetHandshakeHash, section 11.2).

        Raises LocalMisuseError before the handshake is complete: earlier it binds nothing.
        """
        if not self.is_complete():
            raise LocalMisuseError("handshake is not complete")
        return self._handshake_hash

    def split(self) -> tuple[CipherState, CipherState]:
        """Give the CipherStates from initiator to responder and back, in this order (Split).

        They are handed out once: a second pair under the same keys would use every nonce twice.
        Raises LocalMisuseError the second time, and before the handshake is complete.
        """
        outcome, self._outcome = self._outcome, None
        if outcome is None:
            raise LocalMisuseError("handshake is not complete, or was split before")
        return outcome

    def _begin(self, *, writing: bool) -> tuple[_Variables, tuple[Token, ...]]:
        """Give a copy of the variables to work on, and the tokens of the message that is due."""
        if self._variables is None:
            raise LocalMisuseError("handshake is complete")
        initiator_is_due = self._messages_done % 2 == 0
        if writing != (initiator_is_due == self._initiator):
            raise LocalMisuseError("handshake message out of turn")
        return self._variables.copy(), self._protocol.pattern.messages[self._messages_done]

    def _commit(self, draft: _Variables) -> None:
        """Keep what a message changed; after the last one, keep only what outlives a handshake."""
        self._messages_done += 1
        if not self.is_complete():
            self._variables = draft
            return
        self._handshake_hash = draft.symmetric.get_handshake_hash()
        self._outcome = draft.symmetric.split()
        # Forward secrecy begins when the ephemeral keys and the chaining key are gone.
        self._variables = None

    def _write_token(self, draft: _Variables, token: Token) -> bytes:
        symmetric = draft.symmetric
        match token:
            case "e":
                draft.e = self._ephemerals.generate_keypair()
                public_key = dh.public_key(draft.e)
                self._mix_e(symmetric, public_key)
                return public_key
            case "s":
                return symmetric.encrypt_and_hash(dh.public_key(_present(self._s)))
            case "e1":
                draft.e1 = self._ephemerals.generate_kem_keypair()
                return symmetric.encrypt_and_hash(draft.e1.public_key().public_bytes_raw())
            case "ekem1":
                shared_secret, ciphertext = self._ephemerals.encapsulate(_present(draft.re1))
                encrypted = symmetric.encrypt_and_hash(ciphertext)
                symmetric.mix_key(shared_secret)
                return encrypted
            case _:
                self._mix_shared(draft, token)
                return b""

    def _read_token(self, draft: _Variables, token: Token, reader: _Reader) -> None:
        symmetric = draft.symmetric
        tag_bytes = TAG_BYTES if symmetric.has_key() else 0
        match token:
            case "e":
                draft.re = reader.take(dh.DHLEN)
                self._mix_e(symmetric, draft.re)
            case "s":
                draft.rs = symmetric.decrypt_and_hash(reader.take(dh.DHLEN + tag_bytes))
            case "e1":
                kem = _present(self._protocol.kem)
                size_bytes = kem.public_key_bytes + tag_bytes
                draft.re1 = symmetric.decrypt_and_hash(reader.take(size_bytes))
                # Checked now, not at ekem1: a message that cannot be answered must be refused.
                kem.check_public_key(draft.re1)
            case "ekem1":
                kem = _present(self._protocol.kem)
                size_bytes = kem.ciphertext_bytes + tag_bytes
                ciphertext = symmetric.decrypt_and_hash(reader.take(size_bytes))
                symmetric.mix_key(kem.decapsulate(_present(draft.e1), ciphertext))
            case _:
                self._mix_shared(draft, token)

    def _mix_e(self, symmetric: SymmetricState, public_key: bytes) -> None:
        symmetric.mix_hash(public_key)
        # Section 9.2: without this a psk key could encrypt twice under one key and nonce.
        if self._protocol.pattern.has("psk"):
            symmetric.mix_key(public_key)

    def _mix_shared(self, draft: _Variables, token: Token) -> None:
        """Work through a token that sends nothing: psk, or a DH named by its two keys.

        The first letter of a DH token is the initiator's key and the second the responder's.
        """
        if token == "psk":  # noqa: S105 - the name of a Noise token
            psk, *later = draft.psks
            draft.psks = tuple(later)
            draft.symmetric.mix_key_and_hash(psk)
            return
        own, peer = (token[0], token[1]) if self._initiator else (token[1], token[0])
        key_pair = draft.e if own == "e" else self._s
        public_key = draft.re if peer == "e" else draft.rs
        draft.symmetric.mix_key(dh.dh(_present(key_pair), _present(public_key)))


def _check_given(name: str, *, given: bool, needed: bool) -> None:
    if given != needed:
        raise LocalMisuseError(f"pattern {'needs' if needed else 'does not take'} {name}")


def _present(value: _T | None) -> _T:
    """Give a value that the pattern guarantees to be there by now."""
    if value is None:
        raise LocalMisuseError("pattern uses a key before it exists")
    return value
