"""One session between two real stations in memory, and everything a middle may do to it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline.errors import (
    DecodeError,
    HandshakeError,
    IdentityError,
    LocalMisuseError,
    ProtocolError,
    RecordError,
    RemoteError,
)
from hotline.identity import Card, SecretKeys
from hotline.limits import RENEW_RECORDS, UNIT_BYTES
from hotline.line import session as session_module
from hotline.line.pairing import Pairing
from hotline.line.session import Session, Stage
from hotline.wire import frames, handshake
from support.line_frames import CLOSE, HEARTBEAT, HELLO, RUN
from support.line_sessions import Ends, pairing
from support.line_world import EPHEMERALS, identity

SECRET = b"\x05" * 32


def impostor(name: str, **changed: object) -> Pairing:
    """Give the pairing of someone who says to be a station, but lacks one of its keys."""
    keys, card = identity(name)
    other = identity("stranger")[0]
    mixed = SecretKeys(
        **{key: getattr(other if key in changed else keys, key) for key in keys.__slots__}
    )
    peer = identity("south" if name == "north" else "north")[1]
    return Pairing(mixed, card, peer)


# --- the handshake --------------------------------------------------------------------------------


def test_two_stations_open_a_session() -> None:
    """The one thing that everything else stands on."""
    ends = Ends.make().opened()
    ends.caller.push(HELLO)
    ends.called.push(HEARTBEAT)
    ends.carry()
    assert ends.frames == {"caller": [HEARTBEAT], "called": [HELLO]}
    assert ends.caller.records_opened == 3  # the attestation runs into a second record
    assert not ends.caller.has_pending


def test_a_line_secret_is_used_by_both() -> None:
    """A secret that only one side mixes in would protect nothing."""
    Ends.make(pairing("north", "south", SECRET), pairing("south", "north", SECRET)).opened()


def test_every_unit_has_one_size() -> None:
    """A unit of another size tells a watcher what is being said."""
    ends = Ends.make().opened()
    for frame in (HELLO, RUN, frames.Entries(1, (bytes(8000),) * 5, bytes(64))):
        ends.caller.push(frame)
        ends.called.push(frame)
    ends.carry()
    assert {len(unit) for units in ends.units.values() for unit in units} == {UNIT_BYTES}


def test_no_two_sessions_look_alike() -> None:
    """The same station calling twice must not be recognised by its bytes."""
    one, two = Ends.make().opened(), Ends.make().opened()
    for name in ("caller", "called"):
        assert not set(one.units[name]) & set(two.units[name])
        for a, b in zip(one.units[name], two.units[name], strict=True):
            assert a[:32] != b[:32]
            assert a[-16:] != b[-16:]


def test_nothing_but_the_attestation_leaves_before_both_are_verified() -> None:
    """Whatever is said before the peer is proven is said to a stranger."""
    ends = Ends.make()
    for name in ("caller", "called"):
        with pytest.raises(LocalMisuseError):
            ends.session(name).push(HELLO)
    assert ends.pull("called") == []
    [first] = ends.pull("caller")
    assert not list(ends.called.receive(first))
    for name in ("caller", "called"):
        with pytest.raises(LocalMisuseError):
            ends.session(name).push(HELLO)
    assert ends.called.stage is Stage.ATTEST
    assert len(ends.pull("called")) == 3  # its handshake unit, and an attestation of two


def test_the_called_station_answers_nothing_to_an_incomplete_unit() -> None:
    """One byte too few, and not one byte may come back."""
    ends = Ends.make()
    [first] = ends.pull("caller")
    assert not list(ends.called.receive(first[:-1]))
    assert ends.pull("called") == []
    assert not list(ends.called.receive(first[-1:]))
    assert ends.pull("called") != []


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=8))
@settings(max_examples=25)
def test_a_handshake_in_pieces_is_the_same_handshake(sizes: list[int]) -> None:
    """TCP may cut a unit anywhere, and join it to the next."""
    ends = Ends.make()
    [first] = ends.pull("caller")
    list(ends.called.receive(first))
    answer = b"".join(ends.pull("called"))
    place, step = 0, 0
    while place < len(answer):
        size = sizes[step % len(sizes)]
        list(ends.caller.receive(answer[place : place + size]))
        place, step = place + size, step + 1
    assert ends.caller.is_open
    ends.opened()


# --- who may not ----------------------------------------------------------------------------------


def test_our_own_card_makes_no_line() -> None:
    """A station that talks to itself would acknowledge its own orders."""
    keys, card = identity("north")
    with pytest.raises(IdentityError):
        Pairing(keys, card, card)


@pytest.mark.parametrize(
    ("caller", "called"),
    [
        (pairing("north", "stranger"), None),
        (None, pairing("south", "stranger")),
        (pairing("stranger", "south"), None),
        (None, pairing("stranger", "north")),
        (pairing("north", "south", SECRET), None),
        (None, pairing("south", "north", SECRET)),
        (
            pairing("north", "south", SECRET),
            pairing("south", "north", SECRET[:-1] + b"\x04"),
        ),
        (impostor("north", x25519=1), None),
        (None, impostor("south", x25519=1)),
    ],
    ids=[
        "caller-pinned-another",
        "called-pinned-another",
        "caller-is-another",
        "called-is-another",
        "only-caller-has-secret",
        "only-called-has-secret",
        "other-secret",
        "caller-lacks-x25519",
        "called-lacks-x25519",
    ],
)
def test_a_wrong_card_key_or_secret_ends_in_the_handshake(
    caller: Pairing | None, called: Pairing | None
) -> None:
    """Only the pinned peer may come as far as a record."""
    ends = Ends.make(caller, called)
    assert isinstance(ends.refused(), HandshakeError)
    assert not ends.caller.is_open
    assert not ends.called.is_open
    assert ends.frames == {"caller": [], "called": []}


@pytest.mark.parametrize("who", ["caller", "called"])
def test_a_station_without_the_mldsa_key_is_refused(who: str) -> None:
    """A forger who broke the elliptic curves has all but this one."""
    ends = Ends.make(
        impostor("north", mldsa87=1) if who == "caller" else None,
        impostor("south", mldsa87=1) if who == "called" else None,
    )
    error = ends.refused()
    assert isinstance(error, ProtocolError)
    assert "ML-DSA" in str(error)
    assert not (ends.called if who == "caller" else ends.caller).is_open


def test_an_attestation_of_another_session_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds yesterday's attestation and the session keys must still be refused."""
    stale = pairing("north", "south").attest(initiator=True, handshake_hash=bytes(64))
    monkeypatch.setattr(Pairing, "attest", lambda *_, **__: stale)
    assert isinstance(Ends.make().refused(), ProtocolError)


def test_an_attestation_of_the_other_role_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attestation sent back to its author must prove nothing."""
    honest = Pairing.attest

    def swapped(self: Pairing, *, initiator: bool, handshake_hash: bytes) -> bytes:
        return honest(self, initiator=not initiator, handshake_hash=handshake_hash)

    monkeypatch.setattr(Pairing, "attest", swapped)
    error = Ends.make().refused()
    assert isinstance(error, ProtocolError)
    assert str(error).startswith(
        "the attestation as responder does not fit this handshake: the ML-"
    )


def test_a_reflected_handshake_is_refused() -> None:
    """A station must never complete a handshake with itself in the mirror."""
    caller = Session(pairing("north", "south"), EPHEMERALS, initiator=True)
    called = Session(pairing("north", "south"), EPHEMERALS, initiator=False)
    unit = caller.pull(UNIT_BYTES)
    with pytest.raises(HandshakeError):
        list(called.receive(unit))
    with pytest.raises(HandshakeError):
        list(caller.receive(unit))


def test_hidden_bytes_in_the_handshake_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload that nobody reads is a channel that nobody sees."""
    hidden = bytes(handshake.FIRST_PAYLOAD_BYTES - 1) + b"\x01"
    monkeypatch.setattr(
        session_module, "bytes", lambda size: hidden if size == len(hidden) else bytes(size),
        raising=False,
    )  # fmt: skip
    ends = Ends.make()
    monkeypatch.undo()
    assert "padding" in str(ends.refused())


# --- damage ---------------------------------------------------------------------------------------

REGIONS = {
    "caller ephemeral": ("caller", 0, 5),
    "caller kem key": ("caller", 0, 40),
    "caller kem tag": ("caller", 0, 32 + 1568 + 3),
    "caller payload": ("caller", 0, 2000),
    "caller payload tag": ("caller", 0, 4079),
    "called ephemeral": ("called", 0, 5),
    "called kem ciphertext": ("called", 0, 40),
    "called kem tag": ("called", 0, 32 + 1568 + 3),
    "called payload": ("called", 0, 2000),
    "called payload tag": ("called", 0, 4095),
    "caller attestation": ("caller", 1, 100),
    "caller attestation end": ("caller", 2, 4095),
    "called attestation": ("called", 1, 100),
    "called attestation end": ("called", 2, 0),
}


@pytest.mark.parametrize(("sender", "number", "place"), REGIONS.values(), ids=REGIONS)
def test_a_flipped_bit_ends_the_session_and_leaves_no_trace(
    sender: str, number: int, place: int
) -> None:
    """Damage anywhere must stop this session, and must not hurt the next one."""
    caller, called = pairing("north", "south"), pairing("south", "north")

    def damage(who: str, at: int, unit: bytes) -> bytes:
        if (who, at) != (sender, number):
            return unit
        spoilt = bytearray(unit)
        spoilt[place] ^= 0x10
        return bytes(spoilt)

    ends = Ends.make(caller, called)
    ends.refused(damage)
    victim = ends.called if sender == "caller" else ends.caller
    assert not victim.is_open
    assert ends.frames == {"caller": [], "called": []}
    Ends.make(caller, called).opened()


def test_damage_to_the_mac_alone_is_the_doors_to_see() -> None:
    """The mac is no part of the Noise message: the door checks it before a session is made."""
    ends = Ends.make()
    [first] = ends.pull("caller")
    spoilt = first[:-1] + bytes([first[-1] ^ 1])
    key = pairing("south", "north").called_mac_key
    assert handshake.first_is_for(first, key)
    assert not handshake.first_is_for(spoilt, key)


@given(st.data())
@settings(max_examples=30)
def test_any_flipped_bit_in_the_records_ends_the_session(data: st.DataObject) -> None:
    """There is no bit on the wire that does not count."""
    ends = Ends.make().opened()
    ends.caller.push(frames.Entries(1, (b"order" * 1000,), bytes(64)))
    units = ends.pull("caller")
    number = data.draw(st.integers(0, len(units) - 1))
    place = data.draw(st.integers(0, UNIT_BYTES - 1))
    spoilt = bytearray(units[number])
    spoilt[place] ^= 1 << data.draw(st.integers(0, 7))
    units[number] = bytes(spoilt)
    found: list[frames.Frame] = []
    with pytest.raises(RecordError):
        found.extend(ends.called.receive(b"".join(units)))
    assert found == []


@pytest.mark.parametrize(
    ("order", "whole"),
    [((0, 0), 1), ((1, 0), 0), ((0, 2), 1)],
    ids=["replayed", "swapped", "dropped"],
)
def test_units_replayed_swapped_or_dropped_end_the_session(
    order: tuple[int, ...], whole: int
) -> None:
    """Whoever sits on the path must not be able to say an order twice."""
    ends = Ends.make().opened()
    units = []
    for _ in range(3):
        ends.caller.push(HEARTBEAT)
        units += ends.pull("caller")
    found: list[frames.Frame] = []
    with pytest.raises(RecordError):
        found.extend(ends.called.receive(b"".join(units[number] for number in order)))
    assert found == [HEARTBEAT] * whole


def test_a_whole_session_played_again_gets_no_further_than_one_answer() -> None:
    """Who recorded everything that a station sent must not be able to repeat it."""
    ends = Ends.make().opened()
    ends.caller.push(HELLO)
    ends.carry()
    replayed = b"".join(ends.units["caller"])
    victim = Session(pairing("south", "north"), EPHEMERALS, initiator=False)
    found: list[frames.Frame] = []
    with pytest.raises(RemoteError):
        found.extend(victim.receive(replayed))
    assert found == []
    assert not victim.is_open


# --- a peer that is who it says, and keeps no rule ------------------------------------------------


def unruly(ends: Ends, who: str, *sent: frames.Frame) -> RemoteError:
    """Push frames past the sender's own rules; give what the receiver makes of them."""
    sender = ends.session(who)
    assert sender._writer is not None
    for frame in sent:
        sender._writer.push(*frames.encode(frame))
    return ends.refused()


def test_data_before_the_attestation_is_refused() -> None:
    """A session opened by session keys alone would make the attestation a decoration."""
    ends = Ends.make()
    [first] = ends.pull("caller")
    list(ends.called.receive(first))
    writer = ends.called._writer
    assert writer is not None
    writer._plain.clear()
    error = unruly(ends, "called", HELLO)
    assert isinstance(error, ProtocolError)
    assert "before the attestation" in str(error)


def test_a_second_attestation_is_refused() -> None:
    """Nothing is to be proven twice: whoever tries does something else."""
    ends = Ends.make().opened()
    signature = bytes(4627)
    assert "second attestation" in str(unruly(ends, "caller", frames.Attest(signature)))


def test_nothing_may_follow_a_close() -> None:
    """What comes after goodbye was not written by a station that keeps the protocol."""
    ends = Ends.make().opened()
    error = unruly(ends, "caller", CLOSE, HEARTBEAT)
    assert isinstance(error, ProtocolError)
    assert "after close" in str(error)
    ends = Ends.make().opened()
    ends.caller.push(CLOSE)
    ends.carry()
    assert ends.called.stage is Stage.CLOSED
    assert "after close" in str(unruly(ends, "caller", HEARTBEAT))


def test_a_frame_that_is_no_frame_is_refused() -> None:
    """An unknown type, and a known one with another's body."""
    for kind, body in [(99, b"\x90"), (frames.Hello.TYPE, b"\x90")]:
        ends = Ends.make().opened()
        assert ends.caller._writer is not None
        ends.caller._writer.push(kind, body)
        assert isinstance(ends.refused(), DecodeError)


def test_nothing_is_pushed_after_the_peers_close() -> None:
    """It would be sealed, counted as sent, and never read."""
    ends = Ends.make().opened()
    ends.caller.push(CLOSE)
    ends.carry()
    assert ends.frames["called"] == [CLOSE]
    with pytest.raises(LocalMisuseError):
        ends.called.push(HEARTBEAT)


def test_only_a_close_frame_closes_a_session() -> None:
    """A cut connection and a goodbye must never look the same."""
    ends = Ends.make().opened()
    stages = [ends.called.stage]
    ends.caller.push(CLOSE)
    ends.carry()
    stages.append(ends.called.stage)
    assert stages == [Stage.OPEN, Stage.CLOSED]


# --- the rest -------------------------------------------------------------------------------------


def test_a_used_up_session_asks_to_be_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both directions count: a station that only listens must see it coming too."""
    monkeypatch.setattr(session_module, "RENEW_RECORDS", 6)
    assert RENEW_RECORDS > 6
    ends = Ends.make().opened()
    wanted = []
    for _ in range(5):
        wanted.append((ends.caller.wants_renewal, ends.called.wants_renewal))
        ends.caller.push(HEARTBEAT)
        ends.carry()
    assert wanted == [(False, False)] * 4 + [(True, True)]


def test_cards_of_one_name_are_told_apart_by_their_keys() -> None:
    """A name is what anybody may write on a card."""
    keys = identity("stranger")[0]
    forged = Card.make("north", keys, 1_600_000_000 * 10**9)
    ends = Ends.make(Pairing(keys, forged, identity("south")[1]))
    assert isinstance(ends.refused(), HandshakeError)
