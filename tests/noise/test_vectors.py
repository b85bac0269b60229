"""Outside vectors: cacophony's for the whole framework, and two for hybrid forward secrecy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from kyber_py.ml_kem import ML_KEM_768

from hotline.noise import dh
from hotline.noise.ephemerals import Ephemerals
from hotline.noise.handshakestate import HandshakeState
from hotline.noise.protocol import parse_protocol_name
from support.noise_patterns import ALL_PATTERNS
from support.noise_sides import fixed_ephemerals

if TYPE_CHECKING:
    from pathlib import Path

CACOPHONY_VECTORS: Final = 472


@pytest.fixture(scope="module")
def cacophony(vectors_dir: Path) -> list[dict[str, Any]]:
    text = (vectors_dir / "noise_cacophony_25519.json").read_text()
    vectors: list[dict[str, Any]] = json.loads(text)["vectors"]
    return vectors


def side_of(vector: dict[str, Any], role: str) -> HandshakeState:
    """Make the HandshakeState of one role ("init" or "resp") of a cacophony vector."""

    def raw(key: str) -> bytes | None:
        value = vector.get(f"{role}_{key}")
        return None if value is None else bytes.fromhex(value)

    s = raw("static")
    return HandshakeState(
        parse_protocol_name(vector["protocol_name"], ALL_PATTERNS),
        initiator=role == "init",
        prologue=raw("prologue") or b"",
        # The responder of a one-way pattern has no ephemeral key, and never asks for one.
        ephemerals=fixed_ephemerals(raw("ephemeral") or bytes(32)),
        s=X25519PrivateKey.from_private_bytes(s) if s else None,
        rs=raw("remote_static"),
        psks=[bytes.fromhex(psk) for psk in vector.get(f"{role}_psks", ())],
    )


def check_role(vector: dict[str, Any], role: str) -> None:
    """Write and read every message of a vector as one role."""
    state = side_of(vector, role)
    messages = [
        (bytes.fromhex(m["payload"]), bytes.fromhex(m["ciphertext"])) for m in vector["messages"]
    ]
    handshake_count = len(state._protocol.pattern.messages)
    one_way = handshake_count == 1
    for index, (payload, ciphertext) in enumerate(messages[:handshake_count]):
        if (index % 2 == 0) == (role == "init"):
            assert state.write_message(payload) == ciphertext
        else:
            assert state.read_message(ciphertext) == payload
    assert state.get_handshake_hash().hex() == vector["handshake_hash"]
    from_initiator, from_responder = state.split()
    for index, (payload, ciphertext) in enumerate(messages[handshake_count:], handshake_count):
        by_initiator = one_way or index % 2 == 0
        cipher_state = from_initiator if by_initiator else from_responder
        if by_initiator == (role == "init"):
            assert cipher_state.encrypt_with_ad(b"", payload) == ciphertext
        else:
            assert cipher_state.decrypt_with_ad(b"", ciphertext) == payload


def test_vectors_are_all_there(cacophony: list[dict[str, Any]]) -> None:
    """A shortened vector file would let the tests below pass without testing."""
    names = {vector["protocol_name"] for vector in cacophony}
    assert len(cacophony) == len(names) == CACOPHONY_VECTORS
    used = {name.split("_")[1].split("psk")[0] for name in names}
    assert used == set(ALL_PATTERNS)


@pytest.mark.parametrize("role", ["init", "resp"])
@pytest.mark.parametrize("hash_name", ["SHA256", "SHA512", "BLAKE2s", "BLAKE2b"])
@pytest.mark.parametrize("cipher_name", ["AESGCM", "ChaChaPoly"])
def test_cacophony(
    cacophony: list[dict[str, Any]],
    cipher_name: str,
    hash_name: str,
    role: str,
) -> None:
    """Any deviation from the specification would show as a byte that differs from Cacophony's."""
    suite = f"_25519_{cipher_name}_{hash_name}"
    chosen = [vector for vector in cacophony if vector["protocol_name"].endswith(suite)]
    assert len(chosen) == CACOPHONY_VECTORS // 8
    for vector in chosen:
        print(vector["protocol_name"])  # shown on failure: the last one is the culprit
        check_role(vector, role)


def test_hfs_mlkem768(vectors_dir: Path) -> None:
    """A wrong place of e1 or ekem1, or a wrong mixing, would derive other keys."""
    document = json.loads((vectors_dir / "noise_hfs_mlkem768.json").read_text())
    protocol = parse_protocol_name(document["protocol_name"], ALL_PATTERNS)
    assert protocol.pattern.messages == (
        ("e", "e1"),
        ("e", "ee", "ekem1", "s", "es"),
        ("s", "se"),
    )
    assert len(document["vectors"]) == 2
    for vector in document["vectors"]:
        base = vector["base"]

        def x25519(step: int, base: int = base) -> X25519PrivateKey:
            return X25519PrivateKey.from_private_bytes(bytes([base + step]) * 32)

        def mlkem(base: int = base) -> MLKEM768PrivateKey:
            return MLKEM768PrivateKey.from_seed_bytes(bytes([base + 5]) * 64)

        def encapsulate(public_key: bytes, base: int = base) -> tuple[bytes, bytes]:
            # OpenSSL's encapsulation is always random; FIPS 203's inner function takes it as m.
            shared: tuple[bytes, bytes] = ML_KEM_768._encaps_internal(
                public_key, bytes([base + 6]) * 32
            )
            return shared

        first, second = (
            HandshakeState(
                protocol,
                initiator=initiator,
                prologue=b"",
                ephemerals=Ephemerals(lambda e=e: e, mlkem, encapsulate),  # type: ignore[misc]
                s=s,
            )
            for initiator, s, e in (
                (True, x25519(1), x25519(3)),
                (False, x25519(2), x25519(4)),
            )
        )
        messages = [first.write_message(b"")]
        second.read_message(messages[0])
        messages.append(second.write_message(b""))
        first.read_message(messages[1])
        messages.append(first.write_message(b""))
        second.read_message(messages[2])

        assert [len(message) for message in messages] == [1216, 1200, 64]
        assert dh.public_key(x25519(3)) == messages[0][:32]
        assert first.get_handshake_hash().hex() == vector["handshake_hash"]
        assert second.get_handshake_hash().hex() == vector["handshake_hash"]
        for side in (first, second):
            for cipher_state, key in zip(
                side.split(), (vector["cs1_k"], vector["cs2_k"]), strict=True
            ):
                # A CipherState keeps no key that could be compared, but only one key does this.
                aead = ChaCha20Poly1305(bytes.fromhex(key))
                expected = aead.encrypt(bytes(12), b"first", b"")
                assert cipher_state.encrypt_with_ad(b"", b"first") == expected
