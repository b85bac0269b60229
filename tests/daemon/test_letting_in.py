"""What a whole station lets in, by wire and by courier: nobody revoked, and nothing played again."""

from __future__ import annotations

import base64
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import pytest

from hotline.daemon import courier_requests
from hotline.daemon.config import Address
from hotline.daemon.params import Params
from hotline.errors import HaltError, RefusedError
from hotline.limits import COURIER_MIN_BYTES, UNIT_BYTES
from hotline.line import door
from hotline.line.courier import Courier
from hotline.line.effects import Report
from hotline.line.pairing import Pairing
from hotline.line.session import Session
from hotline.noise.ephemerals import system_ephemerals
from hotline.noise.kem import MLKEM1024
from hotline.wire import handshake
from hotline.wire.courier import MAGIC
from support.home import Home


async def test_a_revoked_peer_finds_nobody_at_home(home: Home) -> None:
    """One byte that comes back tells whom we have refused that this station is here."""
    config = home.lines(bravo=replace(home.line("bravo"), addresses=(Address("192.0.2.7", 1963),)))
    async with home.at_work(config) as station:
        pairing = station.runner("bravo").line.pairing
        peer = Pairing(home.keys["bravo"], pairing.peer, pairing.own)
        units = [
            Session(peer, system_ephemerals(MLKEM1024), initiator=True).pull(UNIT_BYTES)
            for _ in range(2)
        ]
        stream: Any = None
        assert station._greet(stream, "192.0.2.7:1", units[0]) is not None
        await station.revoke("bravo", pairing.own.id, pairing.peer.id, "anna")
        assert station._greet(stream, "192.0.2.7:1", units[1]) is None
        assert not station.runner("bravo").line.links.by_conn
        assert not station._sources.expects("192.0.2.7")


async def test_only_what_was_genuine_is_remembered_at_the_door(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has both cards makes junk with a right mac: it must not wash a recorded call out."""
    monkeypatch.setattr(door, "REPLAYS_REMEMBERED", 4)
    stream: Any = None
    async with home.at_work(home.lines("bravo")) as station:
        pairing = station.runner("bravo").line.pairing
        peer = Pairing(home.keys["bravo"], pairing.peer, pairing.own)
        unit = Session(peer, system_ephemerals(MLKEM1024), initiator=True).pull(UNIT_BYTES)
        assert station._greet(stream, "192.0.2.7:1", unit) is not None
        for number in range(10):
            junk = number.to_bytes(handshake.FIRST_MESSAGE_BYTES, "big")
            made = handshake.seal_first(junk, peer.calling_mac_key)
            assert station._greet(stream, "192.0.2.7:1", made) is None
        assert station._greet(stream, "192.0.2.7:1", unit) is None


FILE: Final = base64.b64encode(MAGIC.ljust(54 + 1568 + 97 + 16 + COURIER_MIN_BYTES, b"\0")).decode()
"""Of the form of a courier file, and nothing more."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have every line open any courier file, and say so here."""
    seen: list[str] = []

    def opening(pairing: Pairing, _file: bytes) -> Pairing:
        return pairing

    def open_it(_self: Courier, _file: bytes) -> Any:
        seen.append("opened")
        return SimpleNamespace(before=None, last=0)

    monkeypatch.setattr(Pairing, "opening", opening)
    monkeypatch.setattr(Courier, "open", open_it)
    return seen


async def test_a_revoked_peer_does_not_come_by_courier(home: Home, opened: list[str]) -> None:
    """The store knows nothing of a halt there: the card is refused for good by every way."""
    async with home.at_work(home.lines("bravo")) as station:
        pairing = station.runner("bravo").line.pairing
        await station.revoke("bravo", pairing.own.id, pairing.peer.id, "anna")
        with pytest.raises(RefusedError, match="for good") as caught:
            await courier_requests.take_in(station, "anna", Params({"file": FILE}))
        assert caught.value.code == "halted"
        with pytest.raises(RefusedError, match="for good"):
            await courier_requests.export(station, "anna", Params({"line": "bravo"}))
    assert opened == []


async def test_a_courier_file_that_disagrees_halts_the_line(
    home: Home, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two histories under one signature: whatever came next would be built on one of them."""

    def fork(*_: object) -> None:
        raise HaltError("fork", "two histories")

    monkeypatch.setattr(Courier, "take_in", fork)
    async with home.at_work(home.lines("bravo")) as station:
        with pytest.raises(RefusedError, match="the line halts now: two histories"):
            await courier_requests.take_in(station, "anna", Params({"file": FILE}))
        halt = station.runner("bravo").line.halt
    assert halt is not None
    assert halt.code == "fork"
    assert opened == ["opened"]


@pytest.mark.parametrize("event", ["receipt_taken", "entries_applied", "message_expired"])
async def test_whoever_waits_for_a_message_looks_again_when_it_may_have_changed(
    home: Home, event: str
) -> None:
    """One that has expired is waited for for ever, unless somebody says that it is time to look."""
    async with home.at_work(home.lines("bravo")) as station:
        line = station.runner("bravo").line
        waits = station.watches.progress("bravo")
        station._reported(line, Report("session_cut", {}))
        assert not waits.is_set()
        station._reported(line, Report(event, {}))
        assert waits.is_set()


async def test_a_courier_file_is_not_taken_in_on_a_disk_without_room(
    home: Home, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the peer says would fill the reserve that is kept to send what was accepted."""
    async with home.at_work(home.lines("bravo")) as station:
        line = station.runner("bravo").line
        monkeypatch.setattr(line._context, "has_room", lambda: False)
        with pytest.raises(RefusedError) as caught:
            await courier_requests.take_in(station, "anna", Params({"file": FILE}))
    assert (caught.value.code, opened) == ("disk-full", [])
