"""The two handshake units around the Noise messages (docs/protocol.md, "The handshake").

    initiator: 4080 bytes of Noise message, then 16 bytes of mac
    responder: 4096 bytes of Noise message

The mac lets a listener tell, for a microsecond a line, which line is calling and that the caller
knows both station ids (and the line secret, if there is one), before any public-key work: the idea
of mac1 in WireGuard (section 5.4.4 of its paper).
"""

from __future__ import annotations

import hmac
from hashlib import sha512
from typing import Final

from hotline.errors import HandshakeError
from hotline.limits import AEAD_TAG_BYTES, UNIT_BYTES

PROTOCOL_NAME: Final = "Noise_KKhfs+psk0_25519+MLKEM1024_AESGCM_SHA512"
PROLOGUE_LABEL: Final = b"hotline/1"
PSK_SALT: Final = b"hotline/1 psk"
MAC_SALT: Final = b"hotline/1 mac"
ATTEST_CONTEXT: Final = b"hotline/1 attest"

MAC_BYTES: Final = 16
FIRST_MESSAGE_BYTES: Final = UNIT_BYTES - MAC_BYTES
SECOND_MESSAGE_BYTES: Final = UNIT_BYTES

_X25519_BYTES: Final = 32
_KEM_BYTES: Final = 1568
"""ML-KEM-1024's encapsulation key and its ciphertext have the same size (FIPS 203, table 3)."""

FIRST_PAYLOAD_BYTES: Final = (
    FIRST_MESSAGE_BYTES - _X25519_BYTES - (_KEM_BYTES + AEAD_TAG_BYTES) - AEAD_TAG_BYTES
)
SECOND_PAYLOAD_BYTES: Final = (
    SECOND_MESSAGE_BYTES - _X25519_BYTES - (_KEM_BYTES + AEAD_TAG_BYTES) - AEAD_TAG_BYTES
)


def hkdf_sha512(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    """Derive up to 64 bytes (RFC 5869 with SHA-512, a single expansion block)."""
    prk = hmac.digest(salt, ikm, "sha512")
    return hmac.digest(prk, info + b"\x01", "sha512")[:length]


def prologue(initiator_id: bytes, responder_id: bytes) -> bytes:
    """Give the Noise prologue: the protocol, and who calls whom (32 bytes each)."""
    return PROLOGUE_LABEL + initiator_id + responder_id


def derive_psk(line_secret: bytes, id_a: bytes, id_b: bytes) -> bytes:
    """Give the 32-byte Noise psk of a line; line_secret is 32 bytes, or empty where there is none."""
    return hkdf_sha512(PSK_SALT, line_secret, min(id_a, id_b) + max(id_a, id_b), 32)


def derive_mac_key(psk: bytes, initiator_id: bytes, responder_id: bytes) -> bytes:
    """Give the 64-byte mac key of one direction: a unit sent back to its author does not verify."""
    return hkdf_sha512(MAC_SALT, psk, initiator_id + responder_id, 64)


def seal_first(message: bytes, mac_key: bytes) -> bytes:
    """Put the mac behind the initiator's Noise message (4080 bytes); gives one unit."""
    return message + hmac.digest(mac_key, message, "sha512")[:MAC_BYTES]


def first_is_for(unit: bytes, mac_key: bytes) -> bool:
    """Tell whether a unit's mac verifies under mac_key, in constant time."""
    mac = hmac.digest(mac_key, unit[:FIRST_MESSAGE_BYTES], "sha512")[:MAC_BYTES]
    return hmac.compare_digest(mac, unit[FIRST_MESSAGE_BYTES:])


def check_padding(payload: bytes) -> None:
    """Raise HandshakeError unless a handshake payload is all zero: nothing may hide in it."""
    if payload.count(0) != len(payload):
        raise HandshakeError("the handshake's padding is not zero")


def attestation_message(*, initiator: bool, handshake_hash: bytes) -> bytes:
    """Give what a station signs with ML-DSA-87: its role in this handshake, and the handshake."""
    return (b"initiator" if initiator else b"responder") + handshake_hash


def fingerprint(unit: bytes) -> bytes:
    """Give 32 bytes by which a first unit is recognised if it is played again."""
    return sha512(unit).digest()[:32]
