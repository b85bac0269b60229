"""Attacks on one session, by whoever sits on the path or knows the cards; the peer itself is honest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hotline.errors import LocalMisuseError, ProtocolError, RecordError
from hotline.limits import RECORDS_PER_KEY, UNIT_BYTES
from hotline.line.pairing import Pairing
from hotline.line.session import Session
from hotline.noise.cipher import AES_GCM
from hotline.noise.cipherstate import CipherState
from hotline.noise.constants import MAX_NONCE
from hotline.wire import frames
from hotline.wire.records import RecordReader, RecordWriter
from support.line_frames import HEARTBEAT, HELLO, RECEIPT
from support.line_sessions import Ends, pairing
from support.line_world import identity

if TYPE_CHECKING:
    from collections.abc import Callable


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
    with pytest.raises(ProtocolError, match=r"^the attestation as initiator does not .* ML-DSA-87"):
        list(ends.called.receive(writer.pull(4 * UNIT_BYTES)))
    assert not ends.called.is_open


def test_a_connection_cut_without_close() -> None:
    """An end that nobody vouched for must not pass for a goodbye."""
    ends, units = opened_with(HEARTBEAT, frames.Close("stopped", ""))
    heard = list(ends.called.receive(units[-2]))
    assert heard == [HEARTBEAT]
    assert ends.called.is_open, "it took the end of the wire for the peer's close"
    assert isinstance(next(ends.called.receive(units[-1])), frames.Close)
    assert not ends.called.is_open
