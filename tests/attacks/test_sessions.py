"""Attacks on one session, by whoever sits on the path or knows the cards; the peer itself is honest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hotline.errors import HandshakeError, LocalMisuseError, ProtocolError, RecordError, RemoteError
from hotline.identity import Card, SecretKeys
from hotline.limits import LINKS_PER_LINE, RECORDS_PER_KEY, REPLAYS_REMEMBERED, UNIT_BYTES
from hotline.line import door as door_module
from hotline.line.door import Door
from hotline.line.pairing import Pairing
from hotline.line.session import Session
from hotline.noise.cipher import AES_GCM
from hotline.noise.cipherstate import CipherState
from hotline.noise.constants import MAX_NONCE
from hotline.wire import frames, handshake
from hotline.wire.records import RecordReader, RecordWriter
from support.line_frames import HEARTBEAT, HELLO, RECEIPT
from support.line_sessions import Ends, pairing
from support.line_world import EPHEMERALS, identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.line_world import LineWorld, Station

E: Final = slice(0, 32)
"""Where a first or second unit has its ephemeral X25519 key."""

KEM: Final = slice(32, 32 + 1568)
"""Where it has the ML-KEM-1024 key or ciphertext, encrypted; the tag follows."""

P: Final = 2**255 - 19


def opened_with(*said: frames.Frame) -> tuple[Ends, list[bytes]]:
    """Give an open session, and the caller's units: its attestation's two, then one for each frame."""
    ends = Ends.make().opened()
    units = ends.units["caller"][1:]
    for frame in said:
        ends.caller.push(frame)
        units += ends.pull("caller")
    return ends, units


def answered() -> tuple[Session, list[bytes]]:
    """Give a called session that waits for the caller's first record, and the caller's records."""
    ends = Ends.make()
    called = ends.called
    [first] = ends.pull("caller")
    list(called.receive(first))
    list(ends.caller.receive(b"".join(ends.pull("called"))))
    units = ends.pull("caller")
    for frame in (HELLO, HEARTBEAT, RECEIPT):
        ends.caller.push(frame)
        units += ends.pull("caller")
    return called, units


@pytest.mark.parametrize(
    "arrives",
    [[1, 2, 3, 4], [2, 3, 4], [1, 0, 2], [0, 2, 1], [4], [0, 0, 1], [0, 2]],
    ids=["first", "attestation", "swapped", "late", "all but one", "doubled", "half"],
)
def test_terrapin(arrives: list[int]) -> None:
    """In SSH the first records after the handshake could be cut off without either side noticing.

    Here they are the attestation: who drops a part of it and renumbers the rest opens nothing at all.
    """
    called, units = answered()
    assert len(units) == 5, "an attestation's two records, and three frames"
    heard: list[frames.Frame] = []
    arriving = b"".join(units[number] for number in arrives)
    with pytest.raises(RecordError):
        heard.extend(called.receive(arriving))
    assert heard == []
    assert not called.is_open


def test_garbage_advances_no_nonce() -> None:
    """A stranger's bytes between two records would put both sides out of step, and the line down."""
    sender, receiver = CipherState(AES_GCM), CipherState(AES_GCM)
    for state in (sender, receiver):
        state.initialize_key(bytes(32))
    reader = RecordReader(receiver)
    genuine = RecordWriter(sender)
    genuine.push(5, b"x")
    unit = genuine.pull(UNIT_BYTES)
    for forged in (bytes(UNIT_BYTES), unit[:-1] + bytes([unit[-1] ^ 1]), unit[::-1]):
        with pytest.raises(RecordError):
            list(reader.feed(forged))
        assert reader.records == 0
    assert list(reader.feed(unit)) == [(5, b"x")]


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


def test_nonce_exhaustion() -> None:
    """After 2^64-1 records the first nonce would come again, under the same key."""
    state = CipherState(AES_GCM)
    state.initialize_key(bytes(32))
    state.set_nonce(MAX_NONCE)
    for use in (state.encrypt_with_ad, state.decrypt_with_ad):
        with pytest.raises(LocalMisuseError):
            use(b"", bytes(32))
    state.rekey()  # as it is done between records: the counter goes on, and stays at its end
    with pytest.raises(LocalMisuseError):
        state.encrypt_with_ad(b"", b"")


class Watched:
    """AES-GCM that counts under which (key, nonce) it was asked to encrypt."""

    used: ClassVar[Counter[tuple[bytes, bytes]]] = Counter()

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._aead = AESGCM(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
        Watched.used[self._key, nonce] += 1
        return self._aead.encrypt(nonce, data, associated_data)


def test_rekey_never_reuses_a_key_and_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two records under one key and nonce give away both, and the key that authenticates all."""
    monkeypatch.setattr(Watched, "used", Counter())
    state = CipherState(replace(AES_GCM, aead=Watched))  # type: ignore[arg-type]
    state.initialize_key(bytes(32))
    writer = RecordWriter(state)
    count = 3 * RECORDS_PER_KEY + 2
    for _ in range(count):
        writer.push(5, b"x")
        writer.pull(UNIT_BYTES)
    assert len({key for key, _ in Watched.used}) == 4
    assert Watched.used == dict.fromkeys(Watched.used, 1)
    assert len(Watched.used) == count + 3  # each rekey encrypts once, under the reserved nonce


def test_both_directions_have_keys_of_their_own() -> None:
    """Under one key for both, each side's first record would be sealed with the same nonce."""
    ends = Ends.make().opened()
    for who in ("caller", "called"):
        ends.session(who).push(HEARTBEAT)
    [there], [back] = ends.pull("caller"), ends.pull("called")
    assert there != back
    with pytest.raises(RecordError):
        list(ends.called.receive(back))


@pytest.mark.parametrize("units", [1, 3])
def test_reflection_of_records(units: int) -> None:
    """What a station said, sent back to it, would be taken for the peer's words."""
    ends, own = opened_with(HEARTBEAT, HEARTBEAT)
    with pytest.raises(RecordError):
        list(ends.caller.receive(b"".join(own[-units:])))


def test_reflection_of_a_call() -> None:
    """A station that is played its own first unit must not take itself for the peer."""
    north = pairing("north", "south")
    door = Door()
    unit = Session(north, EPHEMERALS, initiator=True).pull(UNIT_BYTES)
    assert not handshake.first_is_for(unit, north.called_mac_key)
    assert door.identify(unit) is None


def test_reflection_of_a_card() -> None:
    """A station that was handed its own card as the peer's would keep a line with itself."""
    from hotline.errors import IdentityError

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
    from hotline.noise.handshakestate import HandshakeState
    from hotline.noise.protocol import parse_protocol_name

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


def test_an_attestation_that_is_stripped() -> None:
    """Without the attestation, X25519 alone would say who is there."""
    ends = Ends.make()
    [first] = ends.pull("caller")
    list(ends.called.receive(first))
    list(ends.caller.receive(b"".join(ends.pull("called"))))
    writer = ends.caller._writer
    assert writer is not None
    writer._plain.clear()
    writer.push(*frames.encode(HELLO))
    with pytest.raises(ProtocolError, match="before the attestation"):
        list(ends.called.receive(writer.pull(UNIT_BYTES)))
    assert not ends.called.is_open


ATTESTATIONS: Final[dict[str, Callable[[Ends], bytes]]] = {
    "of the other side": lambda ends: pairing("south", "north").attest(
        initiator=False, handshake_hash=ends.caller._noise.get_handshake_hash()
    ),
    "of the other role": lambda ends: pairing("north", "south").attest(
        initiator=False, handshake_hash=ends.caller._noise.get_handshake_hash()
    ),
    "of an earlier session": lambda _: pairing("north", "south").attest(
        initiator=True,
        handshake_hash=Ends.make().opened().caller._noise.get_handshake_hash(),
    ),
    "of a stranger": lambda ends: Pairing(
        identity("stranger")[0], identity("stranger")[1], identity("south")[1]
    ).attest(initiator=True, handshake_hash=ends.caller._noise.get_handshake_hash()),
    "under another context": lambda ends: identity("north")[0].sign_mldsa(
        b"initiator" + ends.caller._noise.get_handshake_hash(), b"hotline/1 card"
    ),
}


@pytest.mark.parametrize("made", ATTESTATIONS.values(), ids=ATTESTATIONS)
def test_an_attestation_that_is_swapped(made: Callable[[Ends], bytes]) -> None:
    """One that was made for anything but this side of this session must prove nothing."""
    ends = Ends.make()
    [first] = ends.pull("caller")
    list(ends.called.receive(first))
    list(ends.caller.receive(b"".join(ends.pull("called"))))
    writer = ends.caller._writer
    assert writer is not None
    writer._plain.clear()
    writer.push(*frames.encode(frames.Attest(made(ends))))
    with pytest.raises(ProtocolError, match="ML-DSA-87"):
        list(ends.called.receive(writer.pull(4 * UNIT_BYTES)))
    assert not ends.called.is_open


# --- the door -------------------------------------------------------------------------------------


def played(station: Station, unit: bytes) -> bool:
    """Play a first unit to a station, as its daemon takes it; tells whether it is answered."""
    line = station.door.identify(unit)
    if line is None:
        return False
    conn = line.called("stranger", station.moment())
    station.do(lambda line, at: line.received(conn, unit, at))
    if not line.knows(conn):
        return False
    station.door.remember(line, unit)
    return True


def with_a_right_mac(key: bytes, number: int) -> bytes:
    """Make junk, each number another, as anybody can who has both cards and no line secret."""
    return handshake.seal_first(number.to_bytes(handshake.FIRST_MESSAGE_BYTES, "big"), key)


def a_recorded_call(world: LineWorld) -> tuple[Station, Pairing, bytes]:
    """Give a station that was called once, by whom, and the caller's first unit."""
    world.checks = False
    station = world.arbiter.start()
    caller = pairing(world.other(station).name, station.name)
    unit = Session(caller, EPHEMERALS, initiator=True).pull(UNIT_BYTES)
    assert played(station, unit)
    return station, caller, unit


def test_a_first_unit_that_is_replayed_by_the_thousand(
    make_world: Callable[..., LineWorld],
) -> None:
    """Each replay that is answered costs a handshake, and tells a stranger that a station is here."""
    station, _, unit = a_recorded_call(make_world(5))
    assert not any(played(station, unit) for _ in range(3000))
    assert len(station.line.links.by_conn) == 1


def test_first_units_that_were_kept_by_the_thousand(make_world: Callable[..., LineWorld]) -> None:
    """Genuine units that never arrived are new: answered once each, they may hold sixteen places.

    They are told apart only by their time of arrival, so the memory of them must be bounded too.
    """
    world = make_world(5)
    world.checks = False
    station = world.arbiter.start()
    caller = pairing(world.other(station).name, station.name)
    most = 0
    for _ in range(100):
        assert played(station, Session(caller, EPHEMERALS, initiator=True).pull(UNIT_BYTES))
        most = max(most, len(station.line.links.by_conn))
    assert most <= LINKS_PER_LINE
    assert station.line.links.current is None
    # Nobody can wait for thousands of handshakes here: the door is told that these were genuine.
    for number in range(REPLAYS_REMEMBERED + 10):
        made = with_a_right_mac(caller.calling_mac_key, number)
        assert station.door.identify(made) is station.line
        station.door.remember(station.line, made)
    assert sum(map(len, station.door._seen.values())) == REPLAYS_REMEMBERED


def test_junk_with_a_right_mac_does_not_make_a_replay_new(
    make_world: Callable[..., LineWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has both cards could else wash a recorded unit out, and have the station show itself."""
    monkeypatch.setattr(door_module, "REPLAYS_REMEMBERED", 4)
    station, caller, recorded = a_recorded_call(make_world(5))
    assert not any(
        played(station, with_a_right_mac(caller.calling_mac_key, number)) for number in range(20)
    )
    assert not played(station, recorded)


def test_a_connection_cut_without_close() -> None:
    """An end that nobody vouched for must not pass for a goodbye."""
    ends, units = opened_with(HEARTBEAT, frames.Close("stopped", ""))
    heard = list(ends.called.receive(units[-2]))
    assert heard == [HEARTBEAT]
    assert ends.called.is_open, "it took the end of the wire for the peer's close"
    assert isinstance(next(ends.called.receive(units[-1])), frames.Close)
    assert not ends.called.is_open


def test_any_first_unit_of_junk_is_nobodys() -> None:
    """A door that errs on odd bytes ends the daemon for all lines."""
    south = pairing("south", "north")
    for unit in (bytes(UNIT_BYTES), b"\xff" * UNIT_BYTES, b"GET / HTTP/1.1\r\n" * 256):
        assert not handshake.first_is_for(unit, south.called_mac_key)
        with pytest.raises(RemoteError):
            list(Session(south, EPHEMERALS, initiator=False).receive(unit))


def test_who_can_make_the_mac_does_not_wash_the_log_away(
    make_world: Callable[..., LineWorld],
) -> None:
    """Whoever has both cards makes right macs, and each one put a warning in the log."""
    world = make_world(5)
    world.checks = False
    station = world.arbiter.start()
    key = pairing(world.other(station).name, station.name).calling_mac_key
    for number in range(20):
        unit = handshake.seal_first(number.to_bytes(handshake.FIRST_MESSAGE_BYTES, "big"), key)
        conn = station.line.called("stranger", station.moment())
        station.do(lambda line, at, conn=conn, unit=unit: line.received(conn, unit, at))  # type: ignore[misc]
    told = [report for _, report in station.reports if report.event == "session_failed"]
    assert [report.level for report in told] == ["debug"] * 20
