"""One line's identities: both cards, our keys, and everything derived from them once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from hotline.errors import DecodeError, IdentityError
from hotline.identity.courierkey import CourierKey, CourierSecret
from hotline.model import Checkpoint
from hotline.wire import courier, handshake, heads

if TYPE_CHECKING:
    from hotline.identity import Card, SecretKeys
    from hotline.model import Halt, Position, Receipt


class Pairing:
    """What this station needs to speak, sign and verify on one line."""

    def __init__(self, keys: SecretKeys, own: Card, peer: Card, line_secret: bytes = b"") -> None:
        """Derive psk, mac keys and the two empty heads; raises IdentityError for our own card."""
        if own.id == peer.id:
            raise IdentityError(
                f"card {peer.name} is this station's own, a line needs two stations"
            )
        self.keys = keys
        self.own = own
        self.peer = peer
        self.psk = handshake.derive_psk(line_secret, own.id, peer.id)
        self.calling_mac_key = handshake.derive_mac_key(self.psk, own.id, peer.id)
        self.called_mac_key = handshake.derive_mac_key(self.psk, peer.id, own.id)
        self.own_zero = heads.head_zero(own.id, peer.id)
        self.peer_zero = heads.head_zero(peer.id, own.id)
        self.arbiter = own.id < peer.id
        """Which of two sessions stays is decided by the smaller station id, so both agree."""
        self.revoked: Halt | None = None
        """Set once this station's operators refuse the peer's card for good."""

    def prologue(self, *, initiator: bool) -> bytes:
        """Give the Noise prologue of a session that we initiate, or answer."""
        if initiator:
            return handshake.prologue(self.own.id, self.peer.id)
        return handshake.prologue(self.peer.id, self.own.id)

    def sign_head(self, position: Position) -> bytes:
        """Sign our log up to position (64 bytes)."""
        return self.keys.sign_ed25519(
            heads.head_message(self.own_zero, position.number, position.head)
        )

    def verify_head(self, position: Position, signature: bytes) -> None:
        """Raise ProtocolError unless the peer signed its log up to position."""
        message = heads.head_message(self.peer_zero, position.number, position.head)
        self.peer.verify_ed25519(signature, message)

    def verify_own_head(self, position: Position, signature: bytes) -> None:
        """Raise ProtocolError unless this very station signed its log up to position."""
        message = heads.head_message(self.own_zero, position.number, position.head)
        self.own.verify_ed25519(signature, message)

    def sign_receipt(self, position: Position, time_ns: int) -> bytes:
        """Sign that our disk holds the peer's log up to position (64 bytes)."""
        message = heads.receipt_message(self.peer_zero, position.number, position.head, time_ns)
        return self.keys.sign_ed25519(message)

    def verify_receipt(self, receipt: Receipt) -> None:
        """Raise ProtocolError unless the peer signed receipt over our log."""
        message = heads.receipt_message(
            self.own_zero, receipt.number, receipt.head, receipt.time_ns
        )
        self.peer.verify_ed25519(receipt.signature, message)

    def sign_checkpoint(self, own: Position, peer: Position, time_ns: int) -> Checkpoint:
        """Sign both logs as our disk holds them (ML-DSA-87)."""
        message = heads.checkpoint_message(self.own_zero, own, self.peer_zero, peer, time_ns)
        signature = self.keys.sign_mldsa(message, heads.CHECKPOINT_CONTEXT)
        return Checkpoint(own, peer, time_ns, signature)

    def verify_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Raise ProtocolError unless the peer signed checkpoint over its log and its copy of ours."""
        message = heads.checkpoint_message(
            self.peer_zero, checkpoint.own, self.own_zero, checkpoint.peer, checkpoint.time_ns
        )
        self.peer.verify_mldsa(checkpoint.signature, message, heads.CHECKPOINT_CONTEXT)

    def attest(self, *, initiator: bool, handshake_hash: bytes) -> bytes:
        """Sign a handshake in our role (ML-DSA-87, 4627 bytes)."""
        message = handshake.attestation_message(initiator=initiator, handshake_hash=handshake_hash)
        return self.keys.sign_mldsa(message, handshake.ATTEST_CONTEXT)

    def verify_attestation(
        self, signature: bytes, *, initiator: bool, handshake_hash: bytes
    ) -> None:
        """Raise ProtocolError unless the peer signed this handshake; initiator is the peer's role."""
        message = handshake.attestation_message(initiator=initiator, handshake_hash=handshake_hash)
        self.peer.verify_mldsa(signature, message, handshake.ATTEST_CONTEXT)

    # --- courier files ---

    @cached_property
    def courier_secret(self) -> CourierSecret:
        """What opens courier files for this station."""
        return CourierSecret(self.keys)

    @cached_property
    def courier_key(self) -> CourierKey:
        """What courier files for this station are sealed to, signed."""
        return CourierKey.make(self.keys, self.own, self.courier_secret)

    def read_courier_key(self, encoded: bytes) -> CourierKey:
        """Read the peer's courier key; raises DecodeError or ProtocolError."""
        return CourierKey.decode(encoded, self.peer)

    def seal_courier(self, content: bytes, peer_key: CourierKey) -> bytes:
        """Sign content and seal it to the peer's courier key; gives a whole file."""
        plaintext = courier.bundle(
            content,
            self.keys.sign_ed25519(courier.MAGIC + content),
            self.keys.sign_mldsa(content, courier.MAGIC),
        )
        header, info = courier.header_and_info(
            self.psk, self.own.id, self.peer.id, peer_key.mlkem1024 + peer_key.p384
        )
        return header + peer_key.seal(plaintext, info)

    def courier_is_for(self, file: bytes) -> bool:
        """Tell whether a file is marked as the peer's for this line."""
        return file.startswith(self._incoming_courier[0])

    @cached_property
    def _incoming_courier(self) -> tuple[bytes, bytes]:
        secret = self.courier_secret
        return courier.header_and_info(
            self.psk, self.peer.id, self.own.id, secret.mlkem1024 + secret.p384
        )

    def open_courier(self, file: bytes) -> bytes:
        """Give the content of a file, once both of the peer's signatures have verified.

        Raises DecodeError or ProtocolError.
        """
        header, sealed = courier.split(file)
        expected, info = self._incoming_courier
        if header != expected:
            raise DecodeError("it is for another line, or for keys that this station no longer has")
        content, ed25519_signature, mldsa_signature = courier.unbundle(
            self.courier_secret.open(sealed, info)
        )
        self.peer.verify_ed25519(ed25519_signature, courier.MAGIC + content)
        self.peer.verify_mldsa(mldsa_signature, content, courier.MAGIC)
        return content
