"""One line's identities: both stations' cards, our keys, and everything derived from them once.

A line is founded under two cards, and keeps what follows from them (the empty heads, the arbiter) for
good. Its keys may change; a session is between one identity of ours and one of the peer's.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TYPE_CHECKING

from hotline.errors import DecodeError, IdentityError, ProtocolError
from hotline.identity import courierkey
from hotline.identity.courierkey import CourierKey, CourierSecret
from hotline.line.lineage import Generation, Lineage
from hotline.model import Checkpoint
from hotline.wire import courier, handshake, heads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from hotline.identity import Card, SecretKeys
    from hotline.model import Halt, KeyChange, Position, Receipt


class Pairing:
    """What this station needs to speak, sign and verify on one line.

    ``own``, ``peer``, ``keys``, ``psk`` and the mac keys are those of one session's two identities: the
    founding ones, or those that ``between`` was asked for. ``owns`` and ``peers`` are all there are.
    """

    def __init__(
        self, keys: SecretKeys | None, own: Card, peer: Card, line_secret: bytes = b""
    ) -> None:
        """Found a line between two cards; raises IdentityError for our own card.

        ``keys`` may be None where those of a card that has successors have been destroyed.
        """
        if own.id == peer.id:
            raise IdentityError(
                f"card {peer.name} is this station's own, a line needs two stations"
            )
        self.own_zero = heads.head_zero(own.id, peer.id)
        self.peer_zero = heads.head_zero(peer.id, own.id)
        self.arbiter = own.id < peer.id
        """Which of two sessions stays is decided by the smaller station id, so both agree."""
        self.revoked: Halt | None = None
        """Set once this station's operators refuse the peer's card for good."""
        self.owns = Lineage(Generation(own, keys))
        self.peers = Lineage(Generation(peer))
        self.line_secret = line_secret
        self._between: dict[tuple[int, int], Self] = {}
        self._failures = 0
        self._meet(keys, own, peer)

    # --- who meets whom ---

    def _meet(self, keys: SecretKeys | None, own: Card, peer: Card) -> None:
        self._keys, self.own, self.peer = keys, own, peer
        self.psk = handshake.derive_psk(self.line_secret, own.id, peer.id)
        self.calling_mac_key = handshake.derive_mac_key(self.psk, own.id, peer.id)
        self.called_mac_key = handshake.derive_mac_key(self.psk, peer.id, own.id)

    @property
    def keys(self) -> SecretKeys:
        """Our secret keys in this session."""
        return self._keys or self.owns.speaking_keys

    def between(self, own: int, peer: int) -> Self:
        """Give the pairing of a session between two identities, by their indexes."""
        found = self._between.get((own, peer))
        if found is None:
            found = copy.copy(self)
            for derived in ("courier_secret", "courier_key", "_incoming_courier"):
                found.__dict__.pop(derived, None)
            found._meet(self.owns[own].keys, self.owns[own].card, self.peers[peer].card)
            self._between[own, peer] = found
        return found

    def calling(self) -> Self:
        """Give the pairing to call the peer with: after a call that was not answered, the next.

        First comes what the peer must know by all that we know: our oldest, its newest.
        """
        ways = [(own, peer) for own in self.owns.ready() for peer in reversed(self.peers.usable())]
        return self.between(*ways[self._failures % len(ways)])

    def call_failed(self) -> None:
        """The peer did not answer a call: should be called before the next."""
        self._failures += 1

    def call_answered(self) -> None:
        """It did: whatever has happened since, the next call begins with the likeliest again."""
        self._failures = 0

    def called(self) -> list[Self]:
        """Give the pairings in which the peer may call us."""
        return [
            self.between(own, peer) for own in self.owns.ready() for peer in self.peers.usable()
        ]

    def called_by(self, unit: bytes) -> Self | None:
        """Give the pairing that a first unit (4096 bytes) is for; None for a stranger's."""
        found = None
        for pairing in self.called():  # each is computed, so that time tells nothing
            if handshake.first_is_for(unit, pairing.called_mac_key):
                found = pairing
        return found

    def prologue(self, *, initiator: bool) -> bytes:
        """Give the Noise prologue of a session that we initiate, or answer."""
        if initiator:
            return handshake.prologue(self.own.id, self.peer.id)
        return handshake.prologue(self.peer.id, self.own.id)

    # --- the logs; changes are the key changes that stand in the log that is signed ---

    def sign_head(self, position: Position, changes: Sequence[KeyChange] = ()) -> bytes:
        """Sign our log up to position (64 bytes)."""
        keys = self.owns.signing_keys(changes, position.number)
        return keys.sign_ed25519(heads.head_message(self.own_zero, position.number, position.head))

    def verify_head(
        self, position: Position, signature: bytes, changes: Sequence[KeyChange] = ()
    ) -> None:
        """Raise ProtocolError unless the peer signed its log up to position."""
        message = heads.head_message(self.peer_zero, position.number, position.head)
        self.peers.verify_head(changes, position.number, signature, message)

    def verify_own_head(
        self, position: Position, signature: bytes, changes: Sequence[KeyChange] = ()
    ) -> None:
        """Raise ProtocolError unless this very station signed its log up to position."""
        message = heads.head_message(self.own_zero, position.number, position.head)
        self.owns.verify_head(changes, position.number, signature, message)

    def sign_receipt(self, position: Position, time_ns: int) -> bytes:
        """Sign that our disk holds the peer's log up to position (64 bytes)."""
        message = heads.receipt_message(self.peer_zero, position.number, position.head, time_ns)
        return self.owns.speaking_keys.sign_ed25519(message)

    def verify_receipt(self, receipt: Receipt) -> None:
        """Raise ProtocolError unless the peer signed receipt over our log."""
        message = heads.receipt_message(
            self.own_zero, receipt.number, receipt.head, receipt.time_ns
        )
        self.peers.verify_ed25519(receipt.signature, message)

    def sign_checkpoint(
        self, own: Position, peer: Position, time_ns: int, changes: Sequence[KeyChange] = ()
    ) -> Checkpoint:
        """Sign both logs as our disk holds them (ML-DSA-87), with the keys that sign our head there."""
        message = heads.checkpoint_message(self.own_zero, own, self.peer_zero, peer, time_ns)
        keys = self.owns.signing_keys(changes, own.number)
        signature = keys.sign_mldsa(message, heads.CHECKPOINT_CONTEXT)
        return Checkpoint(own, peer, time_ns, signature)

    def verify_checkpoint(self, checkpoint: Checkpoint, changes: Sequence[KeyChange] = ()) -> None:
        """Raise ProtocolError unless the peer signed checkpoint over its log and its copy of ours."""
        message = heads.checkpoint_message(
            self.peer_zero, checkpoint.own, self.own_zero, checkpoint.peer, checkpoint.time_ns
        )
        number, signature = checkpoint.own.number, checkpoint.signature
        self.peers.verify_checkpoint(changes, number, signature, message, heads.CHECKPOINT_CONTEXT)

    # --- sessions ---

    def attest(self, *, initiator: bool, handshake_hash: bytes) -> bytes:
        """Sign a handshake in our role (ML-DSA-87, 4627 bytes)."""
        message = handshake.attestation_message(initiator=initiator, handshake_hash=handshake_hash)
        return self.keys.sign_mldsa(message, handshake.ATTEST_CONTEXT)

    def verify_attestation(
        self, signature: bytes, *, initiator: bool, handshake_hash: bytes
    ) -> None:
        """Raise ProtocolError unless the peer signed this handshake; initiator is the peer's role."""
        message = handshake.attestation_message(initiator=initiator, handshake_hash=handshake_hash)
        try:
            self.peer.verify_mldsa(signature, message, handshake.ATTEST_CONTEXT)
        except ProtocolError as error:
            role = "initiator" if initiator else "responder"
            why = f"the attestation as {role} does not fit this handshake: {error}"
            raise ProtocolError(why) from None

    # --- courier files ---

    @cached_property
    def courier_secret(self) -> CourierSecret:
        """What opens courier files for this station."""
        return CourierSecret(self.keys)

    @cached_property
    def courier_key(self) -> CourierKey:
        """What courier files for this station are sealed to, signed."""
        return CourierKey.make(self.keys, self.own, self.courier_secret)

    def speaking(self) -> Self:
        """Give the pairing of what the peer has surely taken in: our keys, and its newest card."""
        return self.between(self.owns.ready()[0], self.peers.newest_in_log)

    def sealing_to(self, peer_key: CourierKey) -> Self:
        """Give the pairing of a courier file that is sealed to a key that was read here."""
        peer = self.peers.index(courierkey.station_of(peer_key.encoded))
        return self.between(self.owns.ready()[0], 0 if peer is None else peer)

    def opening(self, file: bytes) -> Self | None:
        """Give the pairing that a courier file is for; None if it is for another line.

        A file may be on its way for longer than a change of our keys takes: it is opened as long as
        the old ones are here. The peer's old ones count no more, for a thief could have them.
        """
        owns = [n for n, one in enumerate(self.owns) if one.keys is not None]
        ways = [self.between(own, peer) for own in owns for peer in self.peers.usable()]
        return next((one for one in ways if one.courier_is_for(file)), None)

    def read_courier_key(self, encoded: bytes) -> CourierKey:
        """Read the peer's courier key, of any card of its that counts.

        Raises DecodeError or ProtocolError.
        """
        return CourierKey.decode(encoded, self.courier_key_card(encoded))

    def courier_key_card(self, encoded: bytes) -> Card:
        """Give the card of the peer's whose courier key that claims to be.

        Raises DecodeError, or ProtocolError if it is none that counts.
        """
        at = self.peers.index(courierkey.station_of(encoded))
        if at is None or at < self.peers.oldest:
            raise ProtocolError(f"the courier key is not that of a card of {self.peer.name}")
        return self.peers[at].card

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
