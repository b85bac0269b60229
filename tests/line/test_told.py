"""What a line tells of its work: whoever reads the log afterwards has nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hotline.model import Decision, Precedence
from support.line_courier import OPERATOR, bring, export, send, until_keys_are_kept

if TYPE_CHECKING:
    from support.line_world import LineWorld, Station


def levels(station: Station, event: str) -> set[str]:
    """Give the levels at which an event was told."""
    return {report.level for _, report in station.reports if report.event == event}


def test_new_entries_are_told_by_what_they_are(world: LineWorld) -> None:
    """Whoever is on watch is called by this: a FLASH that is no FLASH here calls nobody."""
    north, south = world.stations
    north.send("plain")
    world.until(lambda: north.record.delivered == 1)
    south.answer("plain", Decision.READ)
    world.until(lambda: north.record.acknowledged == 1)
    south.send("now", "cease fire", Precedence.FLASH)
    world.until(lambda: south.record.delivered == 1)
    names = ("last", "ids", "flashes", "acknowledged")
    applied = [
        [tuple(map(event.get, names)) for event in station.events("entries_applied")]
        for station in world.stations
    ]
    assert applied == [
        [(1, [], [], ["plain"]), (2, ["now"], ["now"], [])],
        [(1, ["plain"], [], [])],
    ]
    assert [(e["number"], e["messages"]) for e in north.events("receipt_taken")] == [(1, 1)]
    assert [(e["number"], e["messages"]) for e in south.events("receipt_taken")] == [
        (1, 0),
        (2, 1),
    ]
    assert levels(north, "entries_applied") == {"debug"}


def test_who_carried_what_is_told(world: LineWorld) -> None:
    """A courier's file leaves no other trace at the station that wrote it."""
    north, south = world.stations
    until_keys_are_kept(world)
    world.clog()
    world.run(60)
    send(world, north, "a", "b")
    bring(world, south, export(world, north))
    bring(world, north, export(world, south))
    [out] = north.events("courier_exported")
    assert (out["operator"], out["after"], out["last"]) == (OPERATOR, 0, 2)
    [taken] = south.events("courier_imported")
    assert (taken["operator"], taken["after"], taken["last"]) == (OPERATOR, 0, 2)
    assert (taken["entries"], taken["delivered"]) == (2, 0)
    [back] = north.events("courier_imported")
    assert (back["entries"], back["delivered"]) == (0, 2)
    assert [(e["number"], e["messages"]) for e in north.events("receipt_taken")] == [(2, 2)]
    for station, event in ((north, "courier_exported"), (south, "courier_imported")):
        assert levels(station, event) == {"warning"}


def test_a_silent_peer_and_a_full_disk_are_alarms(world: LineWorld) -> None:
    """An alarm that waits for warnings and errors must hear of both, and why."""
    north, south = world.stations
    south.full = True
    north.send("a")
    world.until(lambda: bool(south.events("store_full")))
    assert levels(south, "store_full") == {"error"}
    assert south.events("store_full")[0]["why"] == "no room"
    south.full = False
    world.until(lambda: north.record.delivered == 1)
    world.clog()
    world.until(lambda: bool(north.events("session_silent")))
    assert levels(north, "session_silent") == {"warning"}
    assert north.events("session_silent")[0]["reason"] == "network-silent"


def test_a_heartbeat_line_says_what_was_measured(world: LineWorld) -> None:
    """Who watches the heartbeat log decides by these numbers whether to trust the line."""
    north, south = world.stations
    world.delay_s = 0.1
    for _ in range(3):
        north.send(f"m-{world.now}")
        south.send(f"m-{world.now}")
        world.run(1)
    north.send("m-last")
    world.run(4 * north.heartbeat_s)
    fine = north.events("heartbeat")[-1]
    assert (fine["state"], fine["reason"], fine["sent"]) == ("up", "unattended", True)
    assert 200 <= fine["rtt_ms"] <= 300
    record, before = north.record, north.events("heartbeat")[-2]
    assert fine["number"] == before["number"] + 1
    assert record.receipt is not None
    told = [fine[name] for name in ("own_number", "receipted", "peer_number", "queued")]
    assert told == [record.own.number, record.receipt.number, record.peer.number, 0]
    assert record.receipt.number == 4
    assert round(fine["rtt_ms"], 3) == fine["rtt_ms"]
    assert abs(fine["clock_offset_ms"]) <= 100
    assert fine["missed"] <= 1, "the last one may be under way"
    began = world.now
    world.clog()
    world.until(lambda: not north.line.vitals.standing, 60)
    world.run(3 * north.heartbeat_s)
    silent = north.events("heartbeat", began)
    assert (silent[-1]["number"], silent[-1]["sent"]) == (None, False)
    missed = [event["missed"] for event in silent]
    assert missed == sorted(missed)
    levels_of = {(r.fields["state"], r.level) for _, r in north.reports if r.event == "line_state"}
    assert levels_of >= {("up", "info"), ("down", "warning")}
    assert {level for state, level in levels_of if state != "up"} == {"warning"}
    assert missed[-1] == pytest.approx((world.now - began) / north.heartbeat_s, abs=2)


def test_a_state_is_dated_from_its_beginning(world: LineWorld) -> None:
    """`down since` is what an operator reports; another reason for it must not make it younger."""
    caller = world.second
    up_since = caller.line.vitals.since_ns
    world.run(20)
    assert caller.line.vitals.since_ns == up_since
    world.other(caller).crash()
    world.until(lambda: caller.state == "down", 60)
    down_since, began = caller.line.vitals.since_ns, world.now
    assert down_since > up_since
    world.clog()
    world.until(lambda: caller.reason == "timed-out", 60)
    assert len(caller.states(began)) > 0, "the reason is the first one still"
    assert caller.line.vitals.since_ns == down_since
