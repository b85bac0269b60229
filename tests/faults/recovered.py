"""A store that was lost, and taken back from the peer by an operator's word."""

from __future__ import annotations

import time

from faults.arena import Arena
from faults.catalogue import scenario
from faults.old_stores import check_nothing_moved, check_stopped, keep, live, put_back
from faults.station import FaultStation

from support.processes import until
from support.stations import start

_SLOWLY = "1mbit"
"""So that a recovery takes long enough to be interrupted."""

_HERE = ("recovery_asked", "recovery_begun", "entries_taken_back", "line_recovered")
_THERE = ("peer_recovering", "entries_returned", "peer_recovered")


def answer_some(arena: Arena) -> set[str]:
    """Have an operator of each station answer the newest message; their ids are given."""
    answered = set()
    for station in arena.pair:
        newest = station.box("inbox")[-1]["id"]
        done = station.hotline("ack", newest, "--decision", "wilco", "--note", "on our way")
        assert done.code == 0, done.err
        answered.add(str(newest))
    for station in arena.pair:
        station.settled(arena.peer_of(station).name)
    return answered


def lose(arena: Arena, *, backup: bool) -> set[str]:
    """Work, lose alpha's store (to an older copy, or wholly), and see both stop; gives who answered."""
    arena.begin()
    live(arena)
    if backup:
        arena.alpha.stop()
        keep(arena.alpha, arena.folder / "yesterday")
        start(arena.alpha)
        live(arena)
    answered = answer_some(arena)
    arena.unwatch()
    arena.alpha.stop()
    put_back(arena.alpha, arena.folder / "yesterday" if backup else None)
    inbox = [one["id"] for one in arena.bravo.box("inbox")]
    arena.alpha.start()
    check_stopped(arena, arena.alpha, arena.bravo)
    check_nothing_moved(arena, inbox, arena.bravo)
    arena.alpha.when("bravo", state="halted", reason="own-log-lost")
    return answered


def recover(arena: Arena) -> None:
    """Say what the operator of the station that lost says."""
    done = arena.alpha.hotline("line", "recover", "bravo")
    arena.expect(f"recover: exit 0, not {done.code}: {done.err}", holds=done.code == 0)


def check_recovered(arena: Arena, answered: set[str], began: float) -> None:
    """All is back, both sides' logs tell of it, and the line goes on; then the reckoning."""
    for station in arena.pair:
        station.up(arena.peer_of(station).name)
    arena.alpha.await_logged("line_recovered")
    arena.bravo.await_logged("peer_recovered")
    arena.figures.recovered_s.append(time.monotonic() - began)
    for station, events in ((arena.alpha, _HERE), (arena.bravo, _THERE)):
        untold = [event for event in events if not station.logged(event)]
        arena.expect(f"{station.name}'s log tells of it: {untold}", holds=not untold)
    claimed = {
        station.name: [
            name
            for name, state in arena.outboxes[station.name].claims.states.items()
            if state in ("delivered", "acknowledged")
        ]
        for station in arena.pair
    }
    arena.watch()
    live(arena)
    for station in arena.pair:
        states = {one["id"]: one for one in station.box("outbox")}
        gone = [one for one in claimed[station.name] if one not in states]
        arena.expect(f"{station.name} shows what it had shown: {gone[:3]}", holds=not gone)
        for one in answered & states.keys():
            shown = states[one]["state"], states[one]["decision"]
            arena.expect(f"{one} is answered: {shown}", holds=shown == ("acknowledged", "wilco"))
    arena.settle()


@scenario("recovered")
def recovered(arena: Arena) -> None:
    """After a restored backup, one command must bring back all that the peer can prove."""
    answered = lose(arena, backup=True)
    arena.fired("older store", times=1)
    began = time.monotonic()
    recover(arena)
    check_recovered(arena, answered, began)


@scenario("recovered-wiped", "tc")
def recovered_wiped(arena: Arena) -> None:
    """A new disk must be filled from the peer's copy, however often either side dies meanwhile."""
    answered = lose(arena, backup=False)
    arena.fired("empty store", times=1)
    arena.network.limit(_SLOWLY, "1s")
    began = time.monotonic()
    recover(arena)
    deaths = sum(die_recovering(arena, arena.pair[n % 2]) for n in range(2 if arena.short else 6))
    arena.fired("kill -9 of a side while alpha recovers", times=deaths)
    arena.network.unlimit()
    check_recovered(arena, answered, began)


def die_recovering(arena: Arena, victim: FaultStation) -> bool:
    """Kill one side when entries have come back, and start it; tells whether it met a recovery."""
    begun = len(arena.alpha.logged("entries_taken_back"))
    if arena.alpha.logged("line_recovered"):
        return False
    for station in arena.pair:
        station.call("retry")

    def moves() -> bool:
        more = len(arena.alpha.logged("entries_taken_back")) > begun
        return more or bool(arena.alpha.logged("line_recovered"))

    until("entries come back", moves)
    victim.kill()
    met = not arena.alpha.logged("line_recovered")
    victim.start()
    return met
