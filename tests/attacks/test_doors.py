"""Attacks at the door: first units that are junk, reflected, played again, or by the thousand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotline.errors import RemoteError
from hotline.limits import LINKS_PER_LINE, REPLAYS_REMEMBERED, UNIT_BYTES
from hotline.line import door as door_module
from hotline.line.pairing import Pairing
from hotline.line.session import Session
from hotline.wire import handshake
from support.line_sessions import pairing
from support.line_world import EPHEMERALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.line_world import LineWorld, Station


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


def test_reflection_of_a_call(make_world: Callable[..., LineWorld]) -> None:
    """A station that is played its own first unit must not take itself for the peer."""
    world = make_world(5)
    world.checks = False
    station = world.arbiter.start()
    peer = world.other(station).name
    own, theirs = (
        Session(pairing(*way), EPHEMERALS, initiator=True).pull(UNIT_BYTES)
        for way in ((station.name, peer), (peer, station.name))
    )
    assert not played(station, own)
    assert played(station, theirs)


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
        unit = with_a_right_mac(key, number)
        conn = station.line.called("stranger", station.moment())
        station.do(lambda line, at, conn=conn, unit=unit: line.received(conn, unit, at))  # type: ignore[misc]
    told = [report for _, report in station.reports if report.event == "session_failed"]
    assert [report.level for report in told] == ["debug"] * 20


def test_who_can_make_the_mac_does_not_say_what_the_state_is(
    make_world: Callable[..., LineWorld],
) -> None:
    """An operator would read of a failed handshake, and look for a thief where a cable is cut."""
    world = make_world(5)
    world.checks = False
    station = world.arbiter
    station.addresses = (world.other(station).name,)
    station.start()
    world.run(1)
    told = (str(station.state), station.reason)
    attempts = station.line.links.attempts
    assert told == ("down", "refused")
    key = pairing(world.other(station).name, station.name).calling_mac_key
    for number in range(3):
        assert not played(station, with_a_right_mac(key, number))
        assert (str(station.state), station.reason) == told
    assert station.line.links.attempts == attempts
