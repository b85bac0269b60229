"""At the end of a world its stations prove what was said, to somebody who was not there."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sim.ledger import Direction, Violation, body_of

from hotline.errors import EvidenceError
from hotline.evidence import export, proof
from hotline.evidence.audit import Auditor
from hotline.evidence.signers import Signers
from hotline.model import Side

if TYPE_CHECKING:
    from sim.runner import Runner
    from sim.station import Station
    from sim.world import World

    from hotline.evidence.proof import Evidence, Proven

_MESSAGES = 3
"""Looked at in each direction, at each end: the proof of one is made like that of any other."""


def prove(world: World) -> None:
    """Check every log in every store, and the evidence of some messages; raises Violation."""
    for station in world.stations:
        if station.alive and not station.writer.lost:
            for peer in station.runners:
                _audit(world, station, peer)
    for direction in world.checker.directions.values():
        for identifier in islice(reversed(direction.shown), _MESSAGES):
            _prove(world, direction, identifier)


def _signers(world: World, station: Station, peer: str) -> tuple[Signers, Signers]:
    other = next(one for one in world.stations if one.identity == peer)
    line = station.runners[peer].line.record.line
    own, theirs = station.store.read(
        lambda reader: [reader.key_changes(line, side) for side in (Side.OWN, Side.PEER)]
    )
    made = world.rotation.successions
    return (
        Signers.of_log(station.card, own, made(station.identity)),
        Signers.of_log(other.card, theirs, made(peer)),
    )


def _audit(world: World, station: Station, peer: str) -> None:
    record = station.runners[peer].line.record
    try:
        Auditor(station.store, record, *_signers(world, station, peer)).run(lambda: None)
    except EvidenceError as error:
        raise Violation(
            f"{station.name} holds a log for {peer} that proves nothing: {error}"
        ) from None


def _prove(world: World, direction: Direction, identifier: str) -> None:
    author, reader = direction.author, direction.reader
    for host, peer, side in ((reader, author, Side.PEER), (author, reader, Side.OWN)):
        runner = world.runner(host, peer)
        if runner is None or runner.station.writer.lost:
            continue
        if direction.troubled and side is Side.OWN:
            continue  # a restored author may have lost what it said
        try:
            proven = _proven(world, runner, peer, side, identifier)
        except EvidenceError as error:
            raise Violation(f"{host} cannot prove {identifier}: {error}") from None
        said = direction.said.get(identifier)
        if said is not None and proven.message.body != body_of(identifier, said.size):
            raise Violation(f"{host} proves another {identifier} than was sent")
        if proven.answers:
            world.mark("an acknowledgement was proven")
        if proven.writer_checkpoint is not None and proven.reader_checkpoint is not None:
            world.mark("a message was proven under both checkpoints")


def _proven(world: World, runner: Runner, peer: str, side: Side, identifier: str) -> Proven:
    station = runner.station
    own, other = _signers(world, station, peer)
    record = runner.line.record
    evidence = station.store.read(
        lambda reader: export.export(reader, record, own, other, side, identifier)
    )
    return _weighed(evidence, real=world.options.real)


def _weighed(evidence: Evidence, *, real: bool) -> Proven:
    """Check evidence; cheap cards have no encoding, but all else goes the same way."""
    return proof.prove(evidence.encode()) if real else proof.weigh(evidence)
