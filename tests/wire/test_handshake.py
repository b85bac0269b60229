"""What surrounds the Noise messages: keys derived once more by another implementation of HKDF."""

from __future__ import annotations

import hmac

import pytest
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import HandshakeError
from hotline.wire import handshake

SMALL, LARGE = bytes([1]) * 32, bytes([2]) * 32
SECRET = bytes(range(32))
IDS = st.binary(min_size=32, max_size=32)


def hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA512(), length, salt, info).derive(ikm)


@given(
    st.binary(min_size=1, max_size=40),
    st.binary(max_size=40),
    st.binary(max_size=80),
    st.integers(1, 64),
)
def test_hkdf_is_that_of_rfc_5869(salt: bytes, ikm: bytes, info: bytes, length: int) -> None:
    """Every key of a line hangs on it."""
    assert handshake.hkdf_sha512(salt, ikm, info, length) == hkdf(salt, ikm, info, length)


@pytest.mark.parametrize("secret", [SECRET, b""], ids=["secret", "none"])
def test_the_psk(secret: bytes) -> None:
    """A station of another make must come to the same psk, with and without a line secret."""
    expected = hkdf(b"hotline/1 psk", secret, SMALL + LARGE, 32)
    assert handshake.derive_psk(secret, SMALL, LARGE) == expected


@given(IDS, IDS)
def test_both_stations_derive_one_psk(a: bytes, b: bytes) -> None:
    """Each puts its own id first: the order must come from the ids."""
    assert handshake.derive_psk(SECRET, a, b) == handshake.derive_psk(SECRET, b, a)


def test_the_mac_key() -> None:
    """A listener of another make must recognise its peer by the same key."""
    psk = handshake.derive_psk(SECRET, SMALL, LARGE)
    expected = hkdf(b"hotline/1 mac", psk, SMALL + LARGE, 64)
    assert handshake.derive_mac_key(psk, SMALL, LARGE) == expected


def test_a_mac_holds_in_one_direction_only() -> None:
    """A unit sent back to its author would make that station answer a stranger."""
    psk = handshake.derive_psk(b"", SMALL, LARGE)
    there = handshake.derive_mac_key(psk, SMALL, LARGE)
    back = handshake.derive_mac_key(psk, LARGE, SMALL)
    unit = handshake.seal_first(bytes(handshake.FIRST_MESSAGE_BYTES), there)
    assert handshake.first_is_for(unit, there)
    assert not handshake.first_is_for(unit, back)


def test_the_first_unit() -> None:
    """4080 bytes of Noise, 16 of mac: a unit like any other."""
    message = bytes(range(255)) * 16
    unit = handshake.seal_first(message, b"k" * 64)
    assert unit == message + hmac.digest(b"k" * 64, message, "sha512")[:16]
    assert len(unit) == 4096


@given(st.integers(0, 4095), st.integers(0, 7))
def test_any_flipped_bit_spoils_the_mac(place: int, bit: int) -> None:
    """A unit that is nearly ours must cost no public-key work."""
    unit = bytearray(handshake.seal_first(bytes(handshake.FIRST_MESSAGE_BYTES), b"k" * 64))
    unit[place] ^= 1 << bit
    assert not handshake.first_is_for(bytes(unit), b"k" * 64)


def test_the_prologue_says_who_calls_whom() -> None:
    """Without the roles in it a handshake could be reflected."""
    assert handshake.prologue(SMALL, LARGE) == b"hotline/1" + SMALL + LARGE


def test_payloads_fill_the_units() -> None:
    """A handshake unit of another size would tell a watcher what it is."""
    noise_bytes = 32 + 1568 + 16 + 16
    assert noise_bytes + handshake.FIRST_PAYLOAD_BYTES == 4080
    assert noise_bytes + handshake.SECOND_PAYLOAD_BYTES == 4096


@given(st.integers(0, 100), st.integers(1, 255))
def test_padding_must_be_zero(place: int, value: int) -> None:
    """Bytes that nobody checks are a channel that nobody sees."""
    padding = bytearray(101)
    handshake.check_padding(bytes(padding))
    padding[place] = value
    with pytest.raises(HandshakeError):
        handshake.check_padding(bytes(padding))


def test_an_attestation_names_the_role() -> None:
    """One attestation for both roles could be sent back to its author."""
    theirs = handshake.attestation_message(initiator=False, handshake_hash=b"h" * 64)
    ours = handshake.attestation_message(initiator=True, handshake_hash=b"h" * 64)
    assert ours == b"initiator" + b"h" * 64
    assert theirs == b"responder" + b"h" * 64


def test_fingerprints_tell_units_apart() -> None:
    """A fresh unit taken for a replay would lock the peer out."""
    assert handshake.fingerprint(b"a" * 4096) == handshake.fingerprint(b"a" * 4096)
    assert handshake.fingerprint(b"a" * 4096) != handshake.fingerprint(b"a" * 4095 + b"b")
    assert len(handshake.fingerprint(b"")) == 32
