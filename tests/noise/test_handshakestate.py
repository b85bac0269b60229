"""The product's handshake: what is refused, and that a refusal leaves no trace."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.errors import HandshakeError, LocalMisuseError, RecordError
from hotline.noise import dh
from hotline.noise.ephemerals import system_ephemerals
from hotline.noise.handshakestate import HandshakeState
from hotline.noise.kem import MLKEM1024
from hotline.noise.patterns import HandshakePattern
from hotline.noise.protocol import parse_protocol_name
from support.noise_patterns import ALL_PATTERNS
from support.noise_sides import (
    FIRST_STATIC,
    LOW_ORDER,
    SECOND_STATIC,
    Pair,
    fixed_ephemerals,
    initiator,
    responder,
)

OVERHEAD = 32 + (1568 + 16) + 16
"""Either message: an X25519 key, an encrypted ML-KEM-1024 key or ciphertext, the payload's tag."""

FIELDS = {
    "e": range(32),
    "kem": range(32, 1600),
    "kem tag": range(1600, 1616),
    "payload": range(1616, 1625),
    "payload tag": range(1625, 1641),
}
"""The places of each part of either message, when the payload is 9 bytes."""

PAYLOAD = b"nine byte"

flips = st.tuples(
    st.sampled_from(sorted(FIELDS)).flatmap(lambda name: st.sampled_from(FIELDS[name])),
    st.integers(0, 7),
)


def flipped(message: bytes, flip: tuple[int, int]) -> bytes:
    position, bit = flip
    changed = bytearray(message)
    changed[position] ^= 1 << bit
    return bytes(changed)


def damaged(message: bytes) -> list[bytes]:
    """Give the message with each part damaged at its first and last bit, cut, and extended."""
    edges = [
        flipped(message, flip)
        for places in FIELDS.values()
        for flip in ((places[0], 0), (places[-1], 7))
    ]
    cuts = [message[:size] for size in (0, 31, 32, 1599, 1600, 1615, 1616, 1631, 1640)]
    return [*edges, *cuts, message + b"\0", message + message, message.ljust(65536, b"\0")]


def test_message_sizes() -> None:
    """The payload that fills a unit would be computed wrongly, and its size would show."""
    pair = Pair()
    first = pair.first.write_message(bytes(4080 - OVERHEAD))
    assert len(first) == 4080
    assert pair.second.read_message(first) == bytes(2448)
    second = pair.second.write_message(bytes(4096 - OVERHEAD))
    assert len(second) == 4096
    assert pair.first.read_message(second) == bytes(2464)


def test_both_directions_after_split() -> None:
    """The two directions would share a key, or each side would take the other's."""
    pair = Pair()
    pair.second.read_message(pair.first.write_message(b""))
    pair.first.read_message(pair.second.write_message(b""))
    assert pair.first.is_complete()
    assert pair.second.is_complete()
    assert len(pair.first.get_handshake_hash()) == 64
    there, back = pair.first.split()
    there_peer, back_peer = pair.second.split()
    going = there.encrypt_with_ad(b"", b"same words")
    coming = back_peer.encrypt_with_ad(b"", b"same words")
    assert going != coming
    with pytest.raises(RecordError):
        there_peer.decrypt_with_ad(b"", coming)
    assert there_peer.decrypt_with_ad(b"", going) == b"same words"
    assert back.decrypt_with_ad(b"", coming) == b"same words"


def test_damaged_messages_leave_no_trace() -> None:
    """One injected message would end a handshake that the right message could still complete."""
    pair = Pair()
    first = pair.first.write_message(PAYLOAD)
    for bad in damaged(first):
        with pytest.raises(HandshakeError):
            pair.second.read_message(bad)
    assert pair.second.read_message(first) == PAYLOAD
    second = pair.second.write_message(PAYLOAD)
    for bad in [*damaged(second), first]:
        with pytest.raises(HandshakeError):
            pair.first.read_message(bad)
    assert pair.first.read_message(second) == PAYLOAD
    assert pair.first.get_handshake_hash() == pair.second.get_handshake_hash()


@given(flip_first=flips, flip_second=flips)
@settings(max_examples=50)
def test_any_flipped_bit_is_refused(
    flip_first: tuple[int, int], flip_second: tuple[int, int]
) -> None:
    """Some bit of a message, such as X25519's ignored bit 255, would not be authenticated."""
    pair = Pair()
    first = pair.first.write_message(PAYLOAD)
    with pytest.raises(HandshakeError):
        pair.second.read_message(flipped(first, flip_first))
    assert pair.second.read_message(first) == PAYLOAD
    second = pair.second.write_message(PAYLOAD)
    with pytest.raises(HandshakeError):
        pair.first.read_message(flipped(second, flip_second))
    assert pair.first.read_message(second) == PAYLOAD


@given(junk=st.binary(max_size=5000))
@settings(max_examples=50)
def test_junk_is_refused(junk: bytes) -> None:
    """A stranger's bytes would raise something that nobody catches."""
    with pytest.raises(HandshakeError):
        responder().read_message(junk)
    first = initiator()
    first.write_message(b"")
    with pytest.raises(HandshakeError):
        first.read_message(junk)


STRANGER = dh.generate_keypair()


@pytest.mark.parametrize(
    "changes",
    [
        {"prologue": b"hotline test "},
        {"prologue": b""},
        {"psks": [b"\x04" * 32]},
        {"s": STRANGER},
        {"rs": dh.public_key(STRANGER)},
    ],
    ids=["prologue", "no prologue", "psk", "own static", "peer static"],
)
def test_disagreement_is_refused_at_once(changes: dict[str, Any]) -> None:
    """A stranger would get an answer, or stations that disagree would think they are one line."""
    with pytest.raises(HandshakeError):
        responder().read_message(initiator(**changes).write_message(b""))
    with pytest.raises(HandshakeError):
        responder(**changes).read_message(initiator().write_message(b""))


@pytest.mark.parametrize("low_order", LOW_ORDER)
def test_low_order_keys_are_refused(low_order: bytes) -> None:
    """A shared secret would be the same for everybody."""
    with pytest.raises(HandshakeError):
        initiator(rs=low_order).write_message(b"")
    with pytest.raises(HandshakeError):
        responder().read_message(low_order + bytes(OVERHEAD - 32))


def other_side(pattern: str, *, initiator: bool, **keys: Any) -> HandshakeState:
    """Give one side of a pattern that the product does not speak."""
    return HandshakeState(
        parse_protocol_name(f"Noise_{pattern}_25519_AESGCM_SHA512", ALL_PATTERNS),
        initiator=initiator,
        prologue=b"",
        ephemerals=system_ephemerals(MLKEM1024),
        **keys,
    )


def test_damage_to_a_key_that_was_set_before() -> None:
    """A copy that shares its cipher with the original would be spoilt by a refused message.

    Only XX shows it: its third message begins under the key and nonce that the second one left.
    """
    first = other_side("XX", initiator=True, s=FIRST_STATIC)
    second = other_side("XX", initiator=False, s=SECOND_STATIC)
    second.read_message(first.write_message(b""))
    first.read_message(second.write_message(b""))
    third = first.write_message(PAYLOAD)
    for bad in (flipped(third, (0, 0)), flipped(third, (len(third) - 1, 0)), third[:-1]):
        with pytest.raises(HandshakeError):
            second.read_message(bad)
    assert second.read_message(third) == PAYLOAD
    assert first.get_handshake_hash() == second.get_handshake_hash()


@pytest.mark.parametrize("size_bytes", [0, 31, 32, 63, 65536])
def test_length_of_messages_in_the_clear(size_bytes: int) -> None:
    """Where no tag tells, half a key would pass for a key, and a message could have any size."""
    side = other_side("IN", initiator=False)
    with pytest.raises(HandshakeError):
        side.read_message(b"\x09" * size_bytes)
    assert side.read_message(b"\x09" * 65535) == b"\x09" * (65535 - 64)


def test_low_order_ephemeral_is_refused_where_it_is_first_used() -> None:
    """In a pattern without es the key is only used in the answer, which must not be sent."""
    state = other_side("NN", initiator=False)
    state.read_message(LOW_ORDER[1])
    for _ in range(2):
        with pytest.raises(HandshakeError):
            state.write_message(b"")
    assert not state.is_complete()


class _BadKemKeyPair:
    """A KEM key pair whose public key has coefficients that are out of range."""

    def public_key(self) -> _BadKemKeyPair:
        return self

    def public_bytes_raw(self) -> bytes:
        return b"\xff" * 1568


def test_peer_with_a_bad_kem_key_is_refused() -> None:
    """A peer's bad key would break our answer, when its message was taken already."""
    second = responder()
    ephemerals = replace(
        system_ephemerals(MLKEM1024),
        generate_kem_keypair=_BadKemKeyPair,  # type: ignore[arg-type]
    )
    with pytest.raises(HandshakeError, match="MLKEM1024 public key"):
        second.read_message(initiator(ephemerals=ephemerals).write_message(b""))
    Pair(second=second).finish()


def test_peer_with_another_kem_secret_is_refused() -> None:
    """ML-KEM's implicit rejection would go unseen: the sides would hold different keys."""
    ephemerals = replace(
        system_ephemerals(MLKEM1024), encapsulate=lambda _: (os.urandom(32), os.urandom(1568))
    )
    pair = Pair(second=responder(ephemerals=ephemerals))
    pair.second.read_message(pair.first.write_message(b""))
    with pytest.raises(HandshakeError):
        pair.first.read_message(pair.second.write_message(b""))


def test_out_of_turn() -> None:
    """A program that has lost its place would corrupt the transcript instead of being told."""
    pair = Pair()
    with pytest.raises(LocalMisuseError, match="out of turn"):
        pair.first.read_message(bytes(OVERHEAD))
    with pytest.raises(LocalMisuseError, match="out of turn"):
        pair.second.write_message(b"")
    first = pair.first.write_message(b"")
    with pytest.raises(LocalMisuseError, match="out of turn"):
        pair.first.write_message(b"")
    pair.second.read_message(first)
    with pytest.raises(LocalMisuseError, match="out of turn"):
        pair.second.read_message(first)
    for side in (pair.first, pair.second):
        assert not side.is_complete()
        with pytest.raises(LocalMisuseError):
            side.get_handshake_hash()
        with pytest.raises(LocalMisuseError):
            side.split()
    pair.first.read_message(pair.second.write_message(b""))
    for side in (pair.first, pair.second):
        with pytest.raises(LocalMisuseError, match="complete"):
            side.write_message(b"")
        with pytest.raises(LocalMisuseError, match="complete"):
            side.read_message(first)


def test_split_once() -> None:
    """A second pair of CipherStates would use every nonce twice."""
    pair = Pair()
    pair.finish()
    for side in (pair.first, pair.second):
        with pytest.raises(LocalMisuseError):
            side.split()
        assert len(side.get_handshake_hash()) == 64


@pytest.mark.parametrize("size_bytes", [65535 - OVERHEAD + 1, 65520])
def test_payload_too_long(size_bytes: int) -> None:
    """Section 3: a message over 65535 bytes would be written, and no peer would take it."""
    pair = Pair()
    with pytest.raises(LocalMisuseError):
        pair.first.write_message(bytes(size_bytes))
    message = pair.first.write_message(bytes(65535 - OVERHEAD))
    assert len(message) == 65535
    assert pair.second.read_message(message) == bytes(65535 - OVERHEAD)


def test_failed_randomness_leaves_no_trace() -> None:
    """A handshake would go on half written after its randomness failed once."""
    system = system_ephemerals(MLKEM1024)
    answers = [OSError("no entropy"), None]

    def generate_kem_keypair() -> Any:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return system.generate_kem_keypair()

    first = initiator(ephemerals=replace(system, generate_kem_keypair=generate_kem_keypair))
    with pytest.raises(OSError, match="no entropy"):
        first.write_message(b"")
    Pair(first=first).finish()


def test_ephemeral_keys_are_fresh() -> None:
    """Two sessions would share keys, and one of them opened would open the other."""
    messages = [initiator().write_message(b"") for _ in range(2)]
    assert messages[0][:32] != messages[1][:32]
    fixed = [initiator(ephemerals=fixed_ephemerals(b"\x05" * 32)) for _ in range(2)]
    messages = [side.write_message(b"") for side in fixed]
    assert messages[0][:32] == messages[1][:32]
    assert messages[0][32:] != messages[1][32:]


def test_ephemeral_secrets_are_dropped() -> None:
    """Keys of a finished handshake would stay in memory as long as the session."""
    pair = Pair()
    pair.finish()
    assert pair.first._variables is None
    assert pair.second._variables is None


@pytest.mark.parametrize(
    "changes",
    [
        {"s": None},
        {"rs": None},
        {"rs": bytes(31)},
        {"psks": []},
        {"psks": [bytes(31)]},
        {"psks": [bytes(32), bytes(32)]},
    ],
)
def test_missing_keys_are_told_at_once(changes: dict[str, Any]) -> None:
    """A handshake without one of its keys would start, and fail where nobody knows why."""
    with pytest.raises(LocalMisuseError):
        initiator(**changes)


@pytest.mark.parametrize(("s", "rs"), [(FIRST_STATIC, None), (None, dh.public_key(SECOND_STATIC))])
def test_keys_that_the_pattern_does_not_use(s: Any, rs: Any) -> None:
    """A caller would believe that a key it gave is checked, when the pattern never uses it."""
    with pytest.raises(LocalMisuseError):
        other_side("NN", initiator=True, s=s, rs=rs)


def test_a_pattern_that_uses_a_key_before_it_exists() -> None:
    """A pattern written down wrongly must end in words, not in a shared secret of nothing."""
    broken = HandshakePattern("KK", ("s",), ("s",), (("ee", "e"), ("e",)))
    protocol = parse_protocol_name("Noise_KK_25519_AESGCM_SHA512", {"KK": broken})
    state = HandshakeState(
        protocol,
        initiator=True,
        prologue=b"",
        ephemerals=system_ephemerals(MLKEM1024),
        s=FIRST_STATIC,
        rs=dh.public_key(SECOND_STATIC),
    )
    with pytest.raises(LocalMisuseError, match="before it exists"):
        state.write_message(b"")
