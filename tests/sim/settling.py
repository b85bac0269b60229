"""What must come true once the world is healed, and how long that may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw
from sim.inspection import inspect_answers, inspect_order
from sim.ledger import Violation
from sim.proving import prove

from hotline.line.liveness import LineState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sim.station import Station
    from sim.world import World

    from hotline.model import LineRecord

_BASE_S = 200.0
"""Backoff to 30 s, a dial of 10 s at a dead address first, a handshake, pauses after a full disk."""

_STEP_S = 1.0
_HALTS = {"own-log-lost", "peer-log-lost", "fork"}


def settle(world: World) -> Iterator[float]:
    """Heal the world and wait for its end; raises Violation if it does not come in time.

    Gives the times until which time should pass.
    """
    world.chaos.heal()
    end = world.now + patience_s(world)
    missing = unsettled(world)
    while missing and world.now < end:
        yield world.now + _STEP_S
        world.checker.probe()
        missing = unsettled(world)
    if missing:
        raise Violation(f"healed, and not settled in time: {missing}")
    world.checker.inspect()
    for direction in world.checker.directions.values():
        inspect_order(direction)
        inspect_answers(world, direction)
    world.losing.inspect()
    prove(world)
    for station in world.stations:
        _disk_agrees(world, station)


def patience_s(world: World) -> float:
    """Give how long it may take: longer for silence, slow disks and slow links."""
    options = world.options
    waiting = 0
    for station in world.stations:
        for record in station.durable_records.values():
            waiting += record.queued_bytes + 1_000_000 * (record.queued > 0)
    waiting += world.losing.unsaid_bytes()
    # A window may stay at its least, one record a round trip, where disks are slow and uneven.
    turn_s = 4 * options.delay_s + 4 * options.slowest_commit_s
    rate = min(options.rate or 10_000_000.0, 3584 / turn_s)
    slow_s = 3 * waiting / rate + 200 * options.slowest_commit_s
    return _BASE_S + 8 * max(options.heartbeat_s.values()) + slow_s


def unsettled(world: World) -> str:
    """Say what is still missing, or nothing."""
    for one, other in world.options.pairs:
        missing = _pair_unsettled(world, one, other)
        if missing:
            return missing
    return world.losing.unsaid() or world.rotation.unconfirmed()


def _pair_unsettled(world: World, one: str, other: str) -> str:
    sides = [(world.runner(one, other), one), (world.runner(other, one), other)]
    for runner, name in sides:
        if runner is None:
            return f"{name} does not run"
        if runner.station.writer.untold:  # durable, and not in any record yet
            return f"{name} has not heard of all that is durable"
    lines = [runner.line for runner, _ in sides if runner is not None]
    states = [f"{line.vitals.assessment.state}/{line.vitals.assessment.reason}" for line in lines]
    halts = [line.record.halt for line in lines if line.record.halt is not None]
    if halts and world.recovering.must_recover(one, other):
        return f"{one}-{other} are {states}, and were to be recovered"
    if halts:
        _halted_rightly(world, one, other)
        if any(line.vitals.assessment.state is LineState.UP for line in lines):
            return f"one side is halted, and {one}-{other} are {states}"
        world.mark("both sides halted" if len(halts) == 2 else "one side halted")
        return ""
    for line, peer in (lines, lines[::-1]):
        missing = _undelivered(line.record, peer.record)
        if missing:
            return f"{missing}, {states}"
        if line.vitals.assessment.state is not LineState.UP:
            return f"{one}-{other} are {states}"
    return ""


def _undelivered(record: LineRecord, peer: LineRecord) -> str:
    """Say what of a station's own log has not reached its peer, or nothing."""
    if record.recovering:
        return f"{record.name}'s peer still recovers"
    if record.queued_bytes:
        return f"{record.queued} messages wait for {record.name}"
    if record.own != peer.peer:
        return f"{record.name} has {peer.peer.number} of {record.own.number} entries"
    if (record.receipt.number if record.receipt else 0) != record.own.number:
        return f"a receipt of {record.name} is missing"
    return ""


def _halted_rightly(world: World, one: str, other: str) -> None:
    for host, peer in ((one, other), (other, one)):
        runner = world.runner(host, peer)
        halt = runner.line.record.halt if runner is not None else None
        if halt is not None and halt.code not in _HALTS:
            raise Violation(f"{host} is halted for another reason than it should: {halt.code}")


def _disk_agrees(world: World, station: Station) -> None:
    """Read what a power loss now would leave: it is what the checker believed all the time."""
    copy = station.disk.durable_copy(world.folder / f"{station.name}.durable")
    database = apsw.Connection(str(copy))
    try:
        rows = database.execute("SELECT name, own_number, peer_number, receipt_number FROM line")
        for name, own, peer, receipt in rows:
            record = station.durable_records[name]
            believed = (
                record.own.number,
                record.peer.number,
                record.receipt.number if record.receipt else None,
            )
            if (own, peer, receipt) != believed:
                raise Violation(f"the disk of {station.name} holds other numbers than it was told")
    finally:
        database.close()
