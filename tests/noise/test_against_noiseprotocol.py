"""Our sessions with an independent implementation at the other end."""

from __future__ import annotations

from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.noise import dh
from hotline.noise.ephemerals import system_ephemerals
from hotline.noise.handshakestate import HandshakeState
from hotline.noise.kem import MLKEM1024
from hotline.noise.protocol import parse_protocol_name
from support.noise_oracle import oracle
from support.noise_patterns import ALL_PATTERNS
from support.noise_sides import PRODUCT

keys: Final = st.binary(min_size=32, max_size=32)
payloads: Final = st.lists(st.binary(max_size=200), min_size=3, max_size=3)


def run_session(
    name: str, *, we_initiate: bool, statics: tuple[bytes, bytes], psk: bytes, data: list[bytes]
) -> None:
    """Run a whole session between ours and theirs: handshake, transport, rekey, transport."""
    protocol = parse_protocol_name(name, ALL_PATTERNS)
    pattern = protocol.pattern
    our_key, their_key = (X25519PrivateKey.from_private_bytes(static) for static in statics)
    pre_messages = (pattern.initiator_pre_message, pattern.responder_pre_message)
    they_know_ours, we_know_theirs = pre_messages if we_initiate else pre_messages[::-1]
    psks = [psk] * pattern.count_psks()
    prologue = data[0]
    ours = HandshakeState(
        protocol,
        initiator=we_initiate,
        prologue=prologue,
        ephemerals=system_ephemerals(MLKEM1024),
        s=our_key,
        rs=dh.public_key(their_key) if we_know_theirs else None,
        psks=psks,
    )
    theirs = oracle(
        name,
        initiator=not we_initiate,
        prologue=prologue,
        s=statics[1],
        rs=dh.public_key(our_key) if they_know_ours else None,
        psks=psks,
    )
    we_write = we_initiate
    for index in range(len(pattern.messages)):
        payload = data[index]
        if we_write:
            assert theirs.read_message(ours.write_message(payload)) == payload
        else:
            assert ours.read_message(bytes(theirs.write_message(payload))) == payload
        we_write = not we_write
    assert theirs.handshake_finished
    assert ours.get_handshake_hash() == theirs.get_handshake_hash()

    send, receive = ours.split() if we_initiate else ours.split()[::-1]
    for _ in range(3):
        for payload in data:
            assert theirs.decrypt(send.encrypt_with_ad(b"", payload)) == payload
            assert receive.decrypt_with_ad(b"", theirs.encrypt(payload)) == payload
        send.rekey()
        theirs.rekey_inbound_cipher()
        receive.rekey()
        theirs.rekey_outbound_cipher()


direction = pytest.mark.parametrize("we_initiate", [True, False], ids=["to them", "from them"])


@direction
@pytest.mark.parametrize(
    "suite", ["AESGCM_SHA512", "AESGCM_BLAKE2s", "ChaChaPoly_SHA256", "ChaChaPoly_BLAKE2b"]
)
@pytest.mark.parametrize("pattern", ["KK", "KKpsk0", "IK", "XX"])
@given(ours=keys, theirs=keys, psk=keys, data=payloads)
@settings(max_examples=10)
def test_standard_patterns(
    pattern: str, suite: str, we_initiate: bool, ours: bytes, theirs: bytes, psk: bytes, data: Any
) -> None:
    """We would only understand ourselves."""
    run_session(
        f"Noise_{pattern}_25519_{suite}",
        we_initiate=we_initiate,
        statics=(ours, theirs),
        psk=psk,
        data=data,
    )


@direction
@given(ours=keys, theirs=keys, psk=keys, data=payloads)
@settings(max_examples=5)
def test_the_products_pattern(
    we_initiate: bool, ours: bytes, theirs: bytes, psk: bytes, data: Any
) -> None:
    """The hybrid handshake would be ours alone, with no second reading of its draft."""
    run_session(PRODUCT.name, we_initiate=we_initiate, statics=(ours, theirs), psk=psk, data=data)
