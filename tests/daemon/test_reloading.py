"""A configuration is taken up as a whole, or nothing of it, whatever file, record or disk says no."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import structlog
import trio
import trio.testing

from hotline.daemon import offline
from hotline.daemon.config import Address, StationConfig
from hotline.daemon.station import Station
from hotline.errors import HotlineError
from hotline.model import KeyChange, Side
from support.home import Home


async def refused(station: Station, config: StationConfig, why: str) -> None:
    """Reload; it must say why not, and leave the very same lines at work."""
    before = [(name, station.runner(name)) for name in station.line_names()]
    ready = station.config
    with pytest.raises(HotlineError, match=why):
        await station.reload(config)
    assert [(name, station.runner(name)) for name in station.line_names()] == before
    assert station.config is ready
    # The store still takes what it is given.
    pairing = station.runner("bravo").line.pairing
    assert (await station.verify("bravo", pairing.own.id, pairing.peer.id, "anna")).verified


async def test_a_later_card_of_a_known_peer_keeps_the_rest_from_being_taken_up(home: Home) -> None:
    """A second record with one peer is refused; the lines that the file leaves out must still stand."""
    later = home.succeed("bravo")
    async with home.at_work(home.lines("bravo", "charlie")) as station:
        number = station.runner("bravo").line.record.line
        change = KeyChange(3, later.card.id, later.encoded)
        await station.runner("bravo").request(
            lambda tx: tx.put_key_change(number, Side.PEER, change), lambda *_: [], fetch=False
        )
        wrong = home.lines("bravo", "delta", north=home.line("north", "bravo.2"))
        await refused(station, wrong, "north: its card is the later one")
        await refused(station, replace(wrong, lines=wrong.lines[::-1]), "later one")
        await station.reload(home.lines("bravo", "delta"))
        assert station.line_names() == ["bravo", "delta"]


async def test_a_line_is_not_founded_again_under_another_card_of_ours(home: Home) -> None:
    """That line has a record; its peer would not know it under the other card."""
    home.succeed("alpha")
    async with home.at_work(home.lines("bravo", "charlie")) as station:
        other = home.line("charlie", own_card=home.folder / "alpha.2.card")
        wrong = home.lines("bravo", "delta", charlie=other)
        await refused(station, wrong, "charlie was founded under the card")
        renamed = home.line("north", "charlie", own_card=home.folder / "alpha.2.card")
        await refused(station, home.lines("bravo", north=renamed), "charlie was founded under")


async def test_a_full_disk_refuses_new_lines_before_any_old_one_ends(home: Home) -> None:
    """A new line needs a row; what has none is told as not taken up, with all that came with it."""
    async with home.at_work(home.lines("bravo", "charlie")) as station:
        home.room = lambda name: name != "delta"
        await refused(station, home.lines("bravo", "delta"), "the disk is full")
        home.room = lambda name: name == "north"
        renamed = home.line("north", "charlie")
        await refused(station, home.lines("bravo", north=renamed), "the disk is full")


async def test_a_disk_that_fills_up_in_between_loses_no_line_in_silence(home: Home) -> None:
    """Its old name has ended by then: the log must name the line, and the next try must take it up."""
    async with home.at_work(home.lines("bravo", "charlie")) as station:
        home.room = lambda name: name != "north"
        wanted = home.lines("delta", north=home.line("north", "charlie"), bravo=home.line("bravo"))
        with structlog.testing.capture_logs() as logged:
            await station.reload(wanted)
        assert station.line_names() == ["delta", "bravo"]
        [lost] = [one for one in logged if one["event"] == "line_not_added"]
        assert (lost["line"], lost["why"], lost["hint"]) == (
            "north",
            "the disk is full",
            "make room",
        )
        assert lost["log_level"] == "error"
        [taken] = [one for one in logged if one["event"] == "config_reloaded"]
        assert taken["lines"] == ["delta", "bravo"]
        home.room = lambda _: True
        await station.reload(wanted)
        assert station.line_names() == ["delta", "north", "bravo"]


async def test_no_card_is_called_verified_for_another_that_had_its_name(home: Home) -> None:
    """Whoever compared the pair code may be told that it is noted once the line has another card."""
    async with home.at_work(home.lines("bravo")) as station:
        runner = station.runner("bravo")
        pairing, request, reloaded = runner.line.pairing, runner.request, trio.Event()

        async def told_late(*asked: Any, **how: Any) -> Any:
            done = await request(*asked, **how)
            await reloaded.wait()
            return done

        runner.request = told_late  # type: ignore[method-assign]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(station.verify, "bravo", pairing.own.id, pairing.peer.id, "anna")
            await trio.testing.wait_all_tasks_blocked()
            await station.reload(home.lines(bravo=home.line("bravo", "charlie")))
            reloaded.set()
        [line] = station.status()["lines"]
        assert (line["verified_at"], line["verified_by"]) == (None, None)
        assert (await station.trust(pairing.peer.id)).verified, "the card that it was"


async def test_a_daemon_that_stops_begins_no_line(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the goodbyes its session would be cut: the peer would look for a fault that is none."""
    async with home.at_work(home.lines("bravo")) as station:
        remove, added = station._remove, []

        async def stop_meanwhile(names: Any) -> None:
            await remove(names)
            station.stop_asked.set()

        async def add(config: Any, _: Any) -> None:
            added.append(config.name)

        monkeypatch.setattr(station, "_remove", stop_meanwhile)
        monkeypatch.setattr(station, "_add", add)
        await station.reload(home.lines("charlie"))
        assert added == []


async def test_a_revoked_peer_is_expected_nowhere_again(home: Home) -> None:
    """Its operator is told to keep the line: each reading gave its host the kept places back."""
    known = replace(home.line("bravo"), addresses=(Address("192.0.2.7", 1963),))
    other = replace(home.line("charlie"), addresses=(Address("192.0.2.8", 1963),))
    config = home.lines(bravo=known, charlie=other)
    async with home.at_work(config) as station:
        assert station._sources.expects("192.0.2.7")
        pairing = station.runner("bravo").line.pairing
        await station.revoke("bravo", pairing.own.id, pairing.peer.id, "anna")
        await station.reload(config)
        assert not station._sources.expects("192.0.2.7"), "after SIGHUP"
        assert station._sources.expects("192.0.2.8")
        await station.reload(home.lines(north=replace(known, name="north"), charlie=other))
        assert not station._sources.expects("192.0.2.7"), "under another name"
    async with home.at_work(config) as station:
        assert not station._sources.expects("192.0.2.7"), "after a restart"
        assert station._sources.expects("192.0.2.8")


async def test_old_keys_are_over_when_nobody_is_waited_for_any_more(home: Home) -> None:
    """A peer that is revoked or removed confirms nothing: the log would never say that it is over."""
    async with home.at_work(home.lines("bravo", "charlie", "delta")) as station:
        home.succeed("alpha")
        await station.rotate(None, "anna")
        with structlog.testing.capture_logs() as logged:

            def told() -> int:
                return [one["event"] for one in logged].count("old_keys_ended")

            pairing = station.runner("bravo").line.pairing
            await station.revoke("bravo", pairing.own.id, pairing.peer.id, "anna")
            await station.reload(home.lines("bravo", north=home.line("north", "charlie")))
            assert told() == 0, "charlie, under its new name, is waited for still"
            await station.reload(home.lines("bravo"))
            assert told() == 1
            await station.reload(home.lines("bravo"))
            assert told() == 1


async def test_old_keys_are_over_when_the_last_peer_is_revoked(home: Home) -> None:
    """It may be the only peer that there is, and still its end is what was waited for."""
    async with home.at_work(home.lines("bravo", "charlie")) as station:
        home.succeed("alpha")
        await station.rotate(None, "anna")
        with structlog.testing.capture_logs() as logged:
            for name in ("bravo", "charlie"):
                assert "old_keys_ended" not in [one["event"] for one in logged]
                pairing = station.runner(name).line.pairing
                await station.revoke(name, pairing.own.id, pairing.peer.id, "anna")
        events = [one["event"] for one in logged]
        assert events.count("old_keys_ended") == 1
        assert events.index("old_keys_ended") > events.index("line_revoked")


async def test_a_start_says_which_old_keys_are_over(home: Home) -> None:
    """The last peer that was waited for may be revoked or removed while no daemon runs."""
    async with home.at_work(home.lines("bravo")) as station:
        home.succeed("alpha")
        await station.rotate(None, "anna")
        pairing = station.runner("bravo").line.pairing

    async def told(config: StationConfig) -> list[Any]:
        with structlog.testing.capture_logs() as logged:
            async with home.at_work(config):
                pass
        return [one["files"] for one in logged if one["event"] == "old_keys_ended"]

    assert await told(home.lines("bravo")) == [], "bravo has not confirmed"
    old = home.folder / "alpha.key"
    assert await told(home.lines()) == [[str(old)]], "removed"
    offline.revoke(home.lines("bravo"), pairing.peer.id)
    assert await told(home.lines("bravo")) == [[str(old)]], "revoked"
    old.unlink()
    assert await told(home.lines("bravo")) == [], "they are destroyed"


async def test_without_a_change_of_keys_none_are_over(home: Home) -> None:
    """Nobody was waited for: to be told of an end would send an operator for files to destroy."""
    async with home.at_work(home.lines("bravo", "charlie")) as station:
        with structlog.testing.capture_logs() as logged:
            pairing = station.runner("bravo").line.pairing
            await station.revoke("bravo", pairing.own.id, pairing.peer.id, "anna")
            await station.reload(home.lines("bravo"))
        assert "old_keys_ended" not in [one["event"] for one in logged]
