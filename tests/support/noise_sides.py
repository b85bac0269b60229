"""Two sides of a handshake with known static keys, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from hotline.noise import dh
from hotline.noise.ephemerals import Ephemerals, system_ephemerals
from hotline.noise.handshakestate import HandshakeState
from hotline.noise.kem import MLKEM1024
from hotline.noise.protocol import parse_protocol_name

if TYPE_CHECKING:
    from hotline.noise.cipherstate import CipherState

PRODUCT: Final = parse_protocol_name("Noise_KKhfs+psk0_25519+MLKEM1024_AESGCM_SHA512")

FIRST_STATIC: Final = X25519PrivateKey.from_private_bytes(b"\x01" * 32)
SECOND_STATIC: Final = X25519PrivateKey.from_private_bytes(b"\x02" * 32)

# Every low-order point of Curve25519 and its twist that 32 bytes can spell with bit 255 clear.
LOW_ORDER: Final = tuple(
    value.to_bytes(32, "little")
    for value in (
        0,
        1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
        2**255 - 20,
        2**255 - 19,
        2**255 - 18,
    )
)


def fixed_ephemerals(private_bytes: bytes) -> Ephemerals:
    """Give ephemerals with one known X25519 key, as vectors need; a KEM stays random."""
    key_pair = X25519PrivateKey.from_private_bytes(private_bytes)
    system = system_ephemerals(MLKEM1024)
    return Ephemerals(lambda: key_pair, system.generate_kem_keypair, system.encapsulate)


def initiator(**changes: Any) -> HandshakeState:
    """Give the first station's side of the product's handshake, with some arguments changed."""
    arguments: dict[str, Any] = {
        "initiator": True,
        "prologue": b"hotline test",
        "ephemerals": system_ephemerals(MLKEM1024),
        "s": FIRST_STATIC,
        "rs": dh.public_key(SECOND_STATIC),
        "psks": [b"\x03" * 32],
    }
    return HandshakeState(PRODUCT, **(arguments | changes))


def responder(**changes: Any) -> HandshakeState:
    """Give the second station's side of the same handshake, with some arguments changed."""
    own = {"initiator": False, "s": SECOND_STATIC, "rs": dh.public_key(FIRST_STATIC)}
    return initiator(**(own | changes))


@dataclass
class Pair:
    """Both sides of the product's handshake, and a way to run it to its end."""

    first: HandshakeState = field(default_factory=initiator)
    second: HandshakeState = field(default_factory=responder)

    def finish(self) -> tuple[CipherState, CipherState]:
        """Run the whole handshake; give the initiator's sending side and its receiver."""
        self.second.read_message(self.first.write_message(b""))
        self.first.read_message(self.second.write_message(b""))
        assert self.first.get_handshake_hash() == self.second.get_handshake_hash()
        return self.first.split()[0], self.second.split()[0]
