"""A station comes back at once, with less than what its peer's disk is about to take."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hotline import limits
from hotline.model import Decision, Position, Precedence, State
from hotline.wire import entries, frames
from support.line_stores import codes, copy, exchange, lossy_world, recover, rest, restore
from support.rogue import SOON_S, STUCK_S, Rogue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.line_world import LineWorld, Station

SLOW_S = 2.0
"""A commit of the peer; far less than a session may take to be agreed."""


T1, T2 = (entries.Test(name, 1, "rogue") for name in ("t1", "t2"))
NONSENSE = entries.Acknowledgement("ack.1", "nothing", 9, Decision.READ, 1, "rogue", "")


@pytest.fixture
def lossy(make_world: Callable[..., LineWorld]) -> LineWorld:
    return lossy_world(make_world)


def backed_up(world: LineWorld, victim: Station) -> Path:
    """Deliver a message each way, and give a backup of one station, which goes on."""
    exchange(world, "before")
    rest(victim)
    kept = copy(victim)
    victim.start()
    world.until_up()
    return kept


def lose_what_is_on_its_way(world: LineWorld, victim: Station, many: int) -> list[str]:
    """Send many messages, come back without them; gives those that the peer is about to hold."""
    other = world.other(victim)
    kept = backed_up(world, victim)
    other.commit_s = (SLOW_S, SLOW_S)
    for number in range(many):
        victim.send(f"lost-{number}", precedence=Precedence.FLASH)
        world.run(0.1)
    world.run(0.5)
    sent = victim.record.own.number - other.record.peer.number
    assert 0 < sent <= many, "the disk was to be slower than the loss"
    victim.crash()
    restore(victim, kept)
    victim.start()
    return [f"lost-{number}" for number in range(sent)]


@pytest.mark.parametrize("which", [0, 1], ids=["arbiter", "second"])
@pytest.mark.parametrize("many", [1, 3])
def test_no_number_is_used_anew_that_the_peer_is_about_to_hold(
    lossy: LineWorld, which: int, many: int
) -> None:
    """Its hello cannot tell of them; a second history would halt both for good."""
    victim = lossy.stations[which]
    other = lossy.other(victim)
    on_its_way = lose_what_is_on_its_way(lossy, victim, many)
    victim.send("said-after-it")
    lossy.until(lambda: victim.record.halt is not None, 60)
    lossy.run(1)
    assert codes(lossy)[victim.name] == "own-log-lost"
    recover(victim)
    lossy.until(lambda: "said-after-it" in other.inbox(), 60)
    assert codes(lossy) == {victim.name: None, other.name: None}
    assert other.inbox() == [f"before-{victim.name}", *on_its_way, "said-after-it"]


def test_nothing_is_sent_before_the_peers_first_heartbeat(rogue: Rogue) -> None:
    """What it will tell may be that our log goes on over there."""
    station, world = rogue.station, rogue.world
    station.send("m", precedence=Precedence.FLASH)
    rogue.call()
    world.run(4)
    assert station.view("m").state is State.QUEUED
    assert not station.line.courier.may_number, "a bag has nobody to ask at all"
    assert rogue.all(frames.Heartbeat), "who waits for the other's must not keep its own back"
    rogue.say(rogue.beat())
    world.run(SOON_S)
    assert station.view("m").state is State.SENT
    assert station.line.courier.may_number


def come_anew(
    rogue: Rogue, *brought: entries.Entry, lie: bool = False, cut: bool = False, **said: Any
) -> Rogue:
    """Bring two runs while the disk is busy, and call again: the first is taken in with the hello.

    The last run may bear no signature, and the older session may be cut off before the newer comes.
    """
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    world.commit_s = (SLOW_S, SLOW_S)
    station.send("keeps-the-disk-busy")
    runs = [rogue.run(entry) for entry in brought]
    if lie:
        runs[-1] = replace(runs[-1], signature=bytes(64))
    for run in runs:
        rogue.say(run)
    older = rogue.conn
    assert older is not None
    if cut:
        station.do(lambda line, at: line.ended(older, "truncated", at))
    newer = Rogue(world, station)
    newer.knock()
    newer.say(replace(newer.hello(), **said))
    world.until(lambda: station.record.peer.number == 1, 3 * SLOW_S)
    current = station.line.links.current
    assert current is not None
    assert current.conn == newer.conn, "the second run was to come late"
    return newer


def test_the_first_heartbeat_tells_of_all_that_an_older_session_brought(rogue: Rogue) -> None:
    """A number that grows behind it would be used anew by a peer that has lost its log."""
    newer = come_anew(rogue, T1, T2)
    newer.say(newer.beat())
    rogue.world.run(6)
    first = newer.all(frames.Heartbeat)[0]
    assert (first.peer_number, first.peer_head) == (2, rogue.own.head)
    entries_came = [run.first for run in newer.all(frames.Entries)]
    assert entries_came == [1], "the heartbeat that came meanwhile was not heard"


def test_a_session_may_be_lost_while_it_waits_for_the_disk(rogue: Rogue) -> None:
    """The next one must begin, and nothing in the name of the one that is gone."""
    station, gone = rogue.station, come_anew(rogue, T1, T2)
    conn = gone.conn
    assert conn is not None
    station.do(lambda line, at: line.ended(conn, "truncated", at))
    rogue.world.run(2 * SLOW_S)
    assert gone.all(frames.Heartbeat) == []
    newer = Rogue(rogue.world, station)
    newer.knock()
    newer.say(replace(newer.hello(), own_number=2, own_head=rogue.own.head))
    rogue.world.run(2 * SLOW_S)
    assert newer.all(frames.Heartbeat)[0].peer_number == 2


def test_what_an_older_session_brought_may_halt_the_line(rogue: Rogue) -> None:
    """The session that waits for it ends with the others."""
    newer = come_anew(rogue, T1, NONSENSE)
    rogue.world.run(3 * SLOW_S)
    halt = rogue.station.record.halt
    assert halt is not None
    assert halt.code == "peer-broke-rules"
    assert not newer.stands()
    assert newer.all(frames.Heartbeat) == []


def test_a_session_that_waits_for_the_disk_is_not_silent(rogue: Rogue) -> None:
    """No session stands until it begins, but it is the one that will: nobody else is called."""
    newer = come_anew(rogue, T1, T2, cut=True)
    rogue.station.do(lambda line, at: line.retry(at))
    rogue.world.run(2 * SLOW_S)
    assert newer.stands()
    assert newer.all(frames.Heartbeat)[0].peer_number == 2
    assert rogue.station.events("session_silent") == []


def test_who_recovers_is_not_sent_a_receipt_for_what_it_has_lost(rogue: Rogue) -> None:
    """By the newest receipt it would learn of its own log's end a second time, and halt again."""
    newer = come_anew(rogue, T1, T2, recovering=True)
    newer.say(frames.Recover(1), newer.beat())
    rogue.world.run(3 * SLOW_S)
    assert newer.all(frames.Heartbeat)[0].peer_number == 2
    assert [run.upto for run in newer.all(frames.Returned)] == [2]
    assert newer.all(frames.ReceiptFrame) == []
    newer.say(frames.Recover(2))
    rogue.world.run(SOON_S)
    assert [receipt.number for receipt in newer.all(frames.ReceiptFrame)] == [2]


def test_a_lie_of_an_older_session_ends_none_that_has_come_since(rogue: Rogue) -> None:
    """It is dropped with that session; what is true of it comes again."""
    newer = come_anew(rogue, T1, T2, lie=True)
    rogue.world.run(2 * SLOW_S)
    assert newer.stands()
    assert rogue.station.events("session_failed") == []
    assert newer.all(frames.Heartbeat)[0].peer_number == 1
    assert [receipt.number for receipt in newer.all(frames.ReceiptFrame)] == [1]
    newer.say(newer.beat(), newer.run(T1), newer.run(T2))
    rogue.world.run(3 * SLOW_S)
    assert rogue.station.record.peer.number == 2


BAD_KEY = frames.CourierKeyFrame(bytes(limits.COURIER_KEY_BYTES))
BAD_CHECKPOINT = frames.CheckpointFrame(
    0, bytes(64), 0, bytes(64), 1, bytes(limits.MLDSA_SIGNATURE_BYTES)
)


@pytest.mark.parametrize("lie", [BAD_KEY, BAD_CHECKPOINT], ids=["courier key", "checkpoint"])
def test_an_older_session_cannot_speak_ill_of_the_next(agreed: Rogue, lie: frames.Frame) -> None:
    """What it says while the next one's hello is at the disk is found out when that one stands."""
    station, world = agreed.station, agreed.world
    newer = Rogue(world, station)
    newer.knock()
    newer.say(newer.hello())
    agreed.say(lie)
    current = station.line.links.current
    assert current is not None
    assert current.conn == agreed.conn, "the next one was to come late"
    world.commit_s = (0.001, 0.001)
    world.run(STUCK_S + SOON_S)
    newer.say(newer.beat())
    world.run(SOON_S)
    assert newer.stands()
    assert station.events("session_failed") == []


@pytest.mark.parametrize("which", ["courier key", "checkpoint"])
def test_nor_while_the_next_waits_for_the_disk(rogue: Rogue, which: str) -> None:
    """What waits for its turn is looked at when the next session is adopted, and has not begun."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    world.run(SOON_S)
    if which == "checkpoint":  # the next one waits for its time
        forged = replace(BAD_CHECKPOINT, own_number=5)
        rogue.say(forged)
        world.run(SOON_S)
    world.commit_s = (1.0, 1.0)
    newer = Rogue(world, station)
    newer.knock()
    newer.say(newer.hello())
    if which == "checkpoint":
        rogue.say(BAD_CHECKPOINT)
    else:
        rogue.say(frames.CourierKeyFrame(rogue.pairing.courier_key.encoded), BAD_KEY)
    rogue.say(rogue.run(T1))
    world.run(1.5)
    current = station.line.links.current
    assert current is not None
    assert current.conn == newer.conn, "the next one was to wait for what came last"
    assert station.line._context.settling
    world.commit_s = (0.001, 0.001)
    world.run(3)
    assert newer.stands()


def test_a_lie_that_is_found_out_when_nobody_is_there_ends_nothing(agreed: Rogue) -> None:
    """Its session is over, and no other has come: there is nobody to be told."""
    station, conn = agreed.station, agreed.conn
    assert conn is not None
    agreed.say(replace(agreed.run(T1), signature=bytes(64)))
    station.do(lambda line, at: line.ended(conn, "truncated", at))
    agreed.world.run(2 * STUCK_S + SOON_S)
    assert station.waiting_commits == 0
    assert (station.record.peer.number, station.line.halt) == (0, None)
    assert station.events("session_failed") == []


def test_a_fork_that_an_older_session_has_signed_halts_all_the_same(agreed: Rogue) -> None:
    """Its signature is evidence, whoever stands by then."""
    station, world, pairing = agreed.station, agreed.world, agreed.pairing
    newer = Rogue(world, station)
    newer.knock()
    newer.say(newer.hello())
    other = Position(0, bytes(64))  # a beginning that is not this log's
    signed = pairing.sign_checkpoint(other, Position(0, pairing.peer_zero), 1)
    agreed.say(frames.CheckpointFrame(0, other.head, 0, pairing.peer_zero, 1, signed.signature))
    world.commit_s = (0.001, 0.001)
    world.run(STUCK_S + SOON_S)
    assert station.line.halt is not None
    assert station.line.halt.code == "fork"
    assert not newer.stands()


def test_nor_after_a_full_disk(agreed: Rogue) -> None:
    """What the disk had no room for is looked at again, and is still an older session's."""
    station, world = agreed.station, agreed.world
    newer = Rogue(world, station)
    newer.knock()
    newer.say(newer.hello())
    agreed.say(BAD_CHECKPOINT)
    world.run(STUCK_S + 0.1)  # the hello is at the disk, and the checkpoint under way
    world.commit_s = (0.001, 0.001)
    newer.say(newer.beat())
    station.full = True
    world.run(STUCK_S + SOON_S)
    station.full = False
    world.run(limits.CHECKPOINT_TAKEN_S + 1)
    assert newer.stands()
    assert station.events("session_failed") == []


@pytest.mark.parametrize("which", [0, 1], ids=["arbiter", "second"])
def test_a_reader_that_has_lost_what_it_signed_for_is_told(lossy: LineWorld, which: int) -> None:
    """Its receipt, on its way to the writer's disk, proves it: nothing may be shown twice."""
    victim = lossy.stations[which]
    other = lossy.other(victim)
    kept = backed_up(lossy, victim)
    other.send("order")
    lossy.until(lambda: "order" in victim.inbox())
    other.commit_s = (SLOW_S, SLOW_S)
    lossy.until(lambda: bool(other.waiting_commits))
    assert other.record.delivered == 1
    victim.crash()
    restore(victim, kept)
    victim.start()
    lossy.until(lambda: victim.record.halt is not None, 60)
    assert codes(lossy)[victim.name] == "own-log-lost"
    assert "order" not in victim.inbox()
    recover(victim)
    lossy.until(lambda: victim.inbox() == [f"before-{other.name}", "order"], 60)


def test_the_first_heartbeat_tells_of_a_receipt_that_an_older_session_brought(rogue: Rogue) -> None:
    """Untold, a reader that has lost what it signed for would take it in again without a word."""
    station, world = rogue.station, rogue.world
    rogue.call().say(rogue.beat())
    station.send("m1")
    station.send("m2")
    world.run(SOON_S)
    world.commit_s = (SLOW_S, SLOW_S)
    station.send("keeps-the-disk-busy")
    rogue.say(rogue.receipt(1))
    rogue.say(rogue.receipt(2))
    newer = Rogue(world, station)
    newer.knock()
    newer.say(newer.hello())
    world.run(2.5 * SLOW_S)
    assert station.record.delivered == 1, "the second receipt was to be on its way now"
    world.run(6)
    assert [beat.receipted for beat in newer.all(frames.Heartbeat)][:1] == [2]
