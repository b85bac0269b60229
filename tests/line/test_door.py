"""The door: whom a first unit is for, replays, and how much it remembers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hotline.limits import REPLAYS_REMEMBERED
from hotline.line import door as door_module
from hotline.line.door import Door
from hotline.line.pairing import Pairing
from hotline.wire import handshake
from support.line_sessions import pairing


def stand_in(name: str, of: Pairing) -> Any:
    """Give as much of a line as the door looks at."""
    return SimpleNamespace(record=SimpleNamespace(name=name), pairing=of)


def unit(caller: Pairing, mark: int = 0) -> bytes:
    """Give a first unit that differs by mark."""
    message = mark.to_bytes(8, "big").ljust(handshake.FIRST_MESSAGE_BYTES, b"\0")
    return handshake.seal_first(message, caller.calling_mac_key)


def passes(door: Door, unit: bytes) -> Any:
    """Give whose a unit is; it is found genuine."""
    line = door.identify(unit)
    if line is not None:
        door.remember(line, unit)
    return line


NORTH: Any = stand_in("north", pairing("south", "north"))
STRANGER: Any = stand_in("stranger", pairing("south", "stranger"))


@pytest.fixture
def door() -> Door:
    made = Door()
    made.add(NORTH)
    made.add(STRANGER)
    return made


def test_each_caller_is_led_to_its_own_line(door: Door) -> None:
    """A caller on another's line would fail there, and never know why."""
    assert door.identify(unit(pairing("north", "south"))) is NORTH
    assert door.identify(unit(pairing("stranger", "south"))) is STRANGER


def test_a_replay_is_a_strangers_under_another_name_of_its_line_too(door: Door) -> None:
    """A new name in the configuration let whoever recorded a call learn that the station is here."""
    call = unit(pairing("north", "south"))
    assert passes(door, call) is NORTH
    door.remove("north")
    door.add(stand_in("renamed", NORTH.pairing))
    assert door.identify(call) is None


@pytest.mark.parametrize("junk", [bytes(4096), b"\xff" * 4096, b"GET / HTTP/1.1".ljust(4096)])
def test_junk_is_nobodys(door: Door, junk: bytes) -> None:
    """It must cost no more than a hash for each line."""
    assert door.identify(junk) is None


def test_a_unit_of_ours_sent_back_is_nobodys(door: Door) -> None:
    """Our own call in a mirror must not make us answer it."""
    assert door.identify(unit(pairing("south", "north"))) is None


def test_a_caller_without_our_line_secret_is_nobody(door: Door) -> None:
    """The card is public: who has only that is a stranger."""
    secret = Door()
    secret.add(stand_in("north", pairing("south", "north", b"\x01" * 32)))
    assert secret.identify(unit(pairing("north", "south"))) is None
    assert secret.identify(unit(pairing("north", "south", b"\x01" * 32))) is not None
    assert door.identify(unit(pairing("north", "south", b"\x01" * 32))) is None


def test_a_replay_is_nobodys(door: Door) -> None:
    """Whoever recorded a call could otherwise ask, at any time, whether we are here."""
    first, second = unit(pairing("north", "south"), 1), unit(pairing("north", "south"), 2)
    assert passes(door, first) is NORTH
    assert passes(door, first) is None
    assert passes(door, second) is NORTH
    assert passes(door, first) is None


def test_a_look_is_not_remembered(door: Door) -> None:
    """A right mac is no proof: only who verifies a unit can say that its peer has made it."""
    first = unit(pairing("north", "south"))
    assert [door.identify(first) for _ in range(2)] == [NORTH, NORTH]
    door.remember(NORTH, first)
    assert door.identify(first) is None


def test_the_memory_is_bounded_and_forgets_the_oldest(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer that calls a million times must not fill our memory."""
    monkeypatch.setattr(door_module, "REPLAYS_REMEMBERED", 8)
    caller = pairing("north", "south")
    for mark in range(50):
        assert passes(door, unit(caller, mark)) is NORTH
        assert len(door._seen[NORTH.pairing.psk]) <= 8
    assert all(door.identify(unit(caller, mark)) is None for mark in range(42, 50))


def test_junk_does_not_push_out_what_is_remembered(door: Door) -> None:
    """Who has both cards makes right macs, and could choose when a replay is answered."""
    caller = pairing("north", "south")
    genuine = unit(caller, REPLAYS_REMEMBERED)
    assert passes(door, genuine) is NORTH
    for mark in range(REPLAYS_REMEMBERED):
        assert door.identify(unit(caller, mark)) is NORTH
    assert door.identify(genuine) is None


def test_strangers_and_other_peers_do_not_push_out_what_is_remembered(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer could otherwise make a replay of another's new again."""
    monkeypatch.setattr(door_module, "REPLAYS_REMEMBERED", 4)
    first = unit(pairing("north", "south"))
    assert passes(door, first) is NORTH
    for mark in range(20):
        door.identify(mark.to_bytes(4096, "big"))
        assert passes(door, unit(pairing("stranger", "south"), mark)) is STRANGER
    assert door.identify(first) is None


def test_a_line_that_was_removed_lets_nobody_in(door: Door) -> None:
    """A peer that was struck off must be a stranger from that moment on."""
    first = unit(pairing("north", "south"), 1)
    assert passes(door, first) is NORTH
    door.remove("north")
    assert door.identify(unit(pairing("north", "south"), 2)) is None
    door.remove("north")
    door.add(NORTH)
    assert door.identify(first) is None, "a replay became new by a reload"
