"""Attacks on a handshake: other keys in it, other ones' cards, older versions and weaker suites."""

from __future__ import annotations

from typing import Final

import pytest

from hotline.errors import HandshakeError, IdentityError
from hotline.identity import Card, SecretKeys
from hotline.limits import UNIT_BYTES
from hotline.line.pairing import Pairing
from hotline.line.session import Session
from hotline.noise.handshakestate import HandshakeState
from hotline.noise.protocol import parse_protocol_name
from hotline.wire import handshake
from support.line_sessions import Ends, pairing
from support.line_world import EPHEMERALS, identity

E: Final = slice(0, 32)
"""Where a first or second unit has its ephemeral X25519 key."""

KEM: Final = slice(32, 32 + 1568)
"""Where it has the ML-KEM-1024 key or ciphertext, encrypted; the tag follows."""

P: Final = 2**255 - 19


def test_garbage_leaves_no_trace_in_a_handshake() -> None:
    """Half-mixed keys after a forged message would refuse the genuine one that follows it."""
    ends = Ends.make()
    [first] = ends.pull("caller")
    for spoilt in (bytes(UNIT_BYTES), first[:100] + bytes([first[100] ^ 1]) + first[101:]):
        with pytest.raises(HandshakeError):
            list(ends.called.receive(spoilt))
    assert list(ends.called.receive(first)) == []
    list(ends.caller.receive(b"".join(ends.pull("called"))))
    assert ends.caller.is_open


def test_reflection_of_a_card() -> None:
    """A station that was handed its own card as the peer's would keep a line with itself."""
    with pytest.raises(IdentityError):
        pairing("north", "north")


def card_with(x25519_of: str, everything_else_of: str) -> tuple[SecretKeys, Card]:
    """Give the card that somebody signs for another's X25519 key, and what they have of its keys."""
    theirs, own = identity(x25519_of)[0], identity(everything_else_of)[0]
    keys = SecretKeys(
        **{name: getattr(theirs if name == "x25519" else own, name) for name in own.__slots__}
    )
    return keys, Card.make("mallory", keys, 1_600_000_000 * 10**9)


def test_a_card_with_anothers_x25519_key() -> None:
    """Unknown key share: north would speak with south, and south believe that mallory is calling.

    South pinned mallory's card, which has north's X25519 key: without both ids in the handshake all
    its DH results would be the right ones.
    """
    _, card = card_with("north", "stranger")
    south = Pairing(identity("south")[0], identity("south")[1], card)
    assert south.peer.x25519 == identity("north")[1].x25519
    north = pairing("north", "south")
    caller = Session(north, EPHEMERALS, initiator=True)
    unit = caller.pull(UNIT_BYTES)
    assert not handshake.first_is_for(unit, south.called_mac_key)
    with pytest.raises(HandshakeError):
        list(Session(south, EPHEMERALS, initiator=False).receive(unit))
    back = Session(south, EPHEMERALS, initiator=True).pull(UNIT_BYTES)
    with pytest.raises(HandshakeError):
        list(Session(north, EPHEMERALS, initiator=False).receive(back))


@pytest.mark.parametrize(
    "point",
    [
        bytes(32),
        (1).to_bytes(32, "little"),
        (P - 1).to_bytes(32, "little"),
        P.to_bytes(32, "little"),
        (P + 1).to_bytes(32, "little"),
        bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    ],
    ids=["0", "1", "p-1", "p", "p+1", "order 8", "order 8, other"],
)
@pytest.mark.parametrize("who", ["caller", "called"])
def test_low_order_keys_in_a_handshake(point: bytes, who: str) -> None:
    """With such a key all DH results are zero, whatever we add: the peer alone chose the keys."""
    ends = Ends.make()

    def change(sender: str, number: int, unit: bytes) -> bytes:
        return point + unit[32:] if (sender, number) == (who, 0) else unit

    assert isinstance(ends.refused(change), HandshakeError)
    assert not ends.caller.is_open
    assert not ends.called.is_open


@pytest.mark.parametrize("who", ["caller", "called"])
def test_non_canonical_keys_in_a_handshake(who: str) -> None:
    """Another spelling of the same point gives the same DH results: the transcript must differ."""
    ends = Ends.make()

    def respelt(sender: str, number: int, unit: bytes) -> bytes:
        if (sender, number) != (who, 0):
            return unit
        return unit[:31] + bytes([unit[31] | 0x80]) + unit[32:]

    assert isinstance(ends.refused(respelt), HandshakeError)


@pytest.mark.parametrize("part", [E, KEM], ids=["x25519", "ml-kem"])
@pytest.mark.parametrize("who", ["caller", "called"])
def test_keys_of_another_handshake(part: slice, who: str) -> None:
    """A key that somebody else made, put in place of the peer's, is a man in the middle."""
    ends, other = Ends.make(), Ends.make().opened()

    def change(sender: str, number: int, unit: bytes) -> bytes:
        if (sender, number) != (who, 0):
            return unit
        return unit[: part.start] + other.units[who][0][part] + unit[part.stop :]

    assert isinstance(ends.refused(change), HandshakeError)


@pytest.mark.parametrize("place", range(KEM.start, KEM.stop + 16, 176))
@pytest.mark.parametrize("who", ["caller", "called"])
def test_flipped_bits_of_ml_kem(place: int, who: str) -> None:
    """A key or ciphertext that is changed unnoticed leaves X25519 alone to keep the secret."""
    ends = Ends.make()

    def change(sender: str, number: int, unit: bytes) -> bytes:
        if (sender, number) != (who, 0):
            return unit
        return unit[:place] + bytes([unit[place] ^ 1]) + unit[place + 1 :]

    assert isinstance(ends.refused(change), HandshakeError)


@pytest.mark.parametrize("change", [-16, -1, 1, 16])
@pytest.mark.parametrize("who", ["caller", "called"])
def test_ml_kem_of_another_length(who: str, change: int) -> None:
    """There is no length in a unit: what is left out or added moves all the rest, and none verifies."""
    ends = Ends.make()

    def moved(sender: str, number: int, unit: bytes) -> bytes:
        if (sender, number) != (who, 0):
            return unit
        if change < 0:
            return unit[: KEM.stop + change] + unit[KEM.stop :] + bytes(-change)
        return (unit[: KEM.stop] + bytes(change) + unit[KEM.stop :])[:UNIT_BYTES]

    assert isinstance(ends.refused(moved), HandshakeError)


OLDER: Final = {
    "another protocol version": ("PROLOGUE_LABEL", b"hotline/0"),
    "another psk": ("PSK_SALT", b"hotline/0 psk"),
}


@pytest.mark.parametrize(("name", "value"), OLDER.values(), ids=OLDER)
def test_version_downgrade(name: str, value: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were an older version answered, whoever sits on the path would have both sides speak that."""
    with monkeypatch.context() as older:
        older.setattr(handshake, name, value)
        caller = Session(pairing("north", "south"), EPHEMERALS, initiator=True)
    south = pairing("south", "north")
    unit = caller.pull(UNIT_BYTES)
    if name != "PROLOGUE_LABEL":
        assert not handshake.first_is_for(unit, south.called_mac_key)
    with pytest.raises(HandshakeError):
        list(Session(south, EPHEMERALS, initiator=False).receive(unit))


@pytest.mark.parametrize(
    "suite",
    [
        "Noise_KKpsk0_25519_AESGCM_SHA512",
        "Noise_KKhfs+psk0_25519+MLKEM768_AESGCM_SHA512",
        "Noise_KKhfs+psk0_25519+MLKEM1024_AESGCM_SHA256",
        "Noise_KKhfs+psk0_25519+MLKEM1024_ChaChaPoly_SHA512",
        "Noise_KKhfs_25519+MLKEM1024_AESGCM_SHA512",
    ],
)
def test_cipher_downgrade(suite: str) -> None:
    """No weaker suite is answered, not even by one who holds the peer's keys."""
    north, south = pairing("north", "south"), pairing("south", "north")
    weaker = HandshakeState(
        parse_protocol_name(suite),
        initiator=True,
        prologue=north.prologue(initiator=True),
        ephemerals=EPHEMERALS,
        s=north.keys.x25519,
        rs=north.peer.x25519,
        psks=(north.psk,) if "psk" in suite else (),
    )
    message = weaker.write_message(b"").ljust(handshake.FIRST_MESSAGE_BYTES, b"\0")
    unit = handshake.seal_first(message, north.calling_mac_key)
    assert handshake.first_is_for(unit, south.called_mac_key)
    with pytest.raises(HandshakeError):
        list(Session(south, EPHEMERALS, initiator=False).receive(unit))
