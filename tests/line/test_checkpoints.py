"""Checkpoints over a line: both stations end up with both signatures, and never pay much for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hotline.errors import HaltError, ProtocolError
from hotline.limits import (
    CALM_ROUND_TRIPS,
    CALM_S,
    CHECKPOINT_LAST_S,
    CHECKPOINT_ROUND_TRIPS,
    CHECKPOINT_S,
)
from hotline.line import checkpoints, taking_back
from hotline.line.pairing import Pairing
from hotline.model import Checkpoint, Decision, Halt, Position, Side
from support.line_stores import copy, exchange, rest, restore, until_halted
from support.line_world import LineWorld, Station, identity

if TYPE_CHECKING:
    from collections.abc import Callable


def newest(station: Station, signer: Side) -> Checkpoint | None:
    """Give the newest checkpoint of one signer that a station's store holds."""
    number = station.record.line
    found: list[Checkpoint | Exception | None] = list(
        station.store.transact([lambda tx: tx.newest_checkpoint(number, signer)])
    )
    assert not isinstance(found[0], Exception)
    return found[0]


def pairing_of(station: Station) -> Pairing:
    return Pairing(station.keys, station.card, identity(station.world.other(station).name)[1])


def all_covered(world: LineWorld) -> bool:
    """Tell whether each store holds both signers' checkpoints over all that was said."""
    for station in world.stations:
        own, peer = newest(station, Side.OWN), newest(station, Side.PEER)
        record = station.record
        if own is None or peer is None:
            return False
        if own.numbers != (record.own.number, record.peer.number):
            return False
        if peer.numbers != (record.peer.number, record.own.number):
            return False
    return True


def sent(station: Station, since: float = 0.0) -> int:
    return len(station.events("checkpoint_sent", since))


def test_both_stations_hold_both_signatures_over_both_logs(world: LineWorld) -> None:
    """Without the peer's, nothing it said could be proven to a third person once Ed25519 falls."""
    exchange(world, "a")
    world.arbiter.answer(f"a-{world.second.name}", Decision.WILCO)
    world.until(lambda: all_covered(world), 4 * CHECKPOINT_S)
    for station in world.stations:
        held = newest(station, Side.PEER)
        assert held is not None
        pairing_of(station).verify_checkpoint(held)
        assert (held.own, held.peer) == (station.record.peer, station.record.own)
        assert newest(world.other(station), Side.OWN) == held


def test_a_busy_line_signs_every_ten_seconds_and_a_quiet_one_never(world: LineWorld) -> None:
    """A millisecond for every burst would cost a busy hub a core; a quiet line has nothing to sign."""
    began = world.now
    for number in range(60):
        world.arbiter.send(f"m{number}")
        world.run(1.0)
    for station in world.stations:
        assert 5 <= sent(station, began) <= 60 / CHECKPOINT_S + 1
    world.until(lambda: all_covered(world), 4 * CHECKPOINT_S)
    quiet = world.now
    world.run(1000)
    assert [sent(station, quiet) for station in world.stations] == [0, 0]


def test_on_a_slow_link_checkpoints_are_rare(make_world: Callable[..., LineWorld]) -> None:
    """Two records that nobody may overtake are a second at 64 kbit/s, in the way of any FLASH."""
    world = make_world(3).start()
    world.until_up()
    world.delay_s = 0.5
    began = world.now
    while world.now < began + 600:
        world.arbiter.send(f"m{round(world.now - began)}")
        world.run(5.0)
    for station in world.stations:
        assert 3 <= sent(station, began) <= 600 / (CHECKPOINT_ROUND_TRIPS * 1.0) + 2
    world.until(lambda: all_covered(world), 2 * CHECKPOINT_ROUND_TRIPS)


def test_what_waited_for_a_session_goes_before_its_checkpoint(world: LineWorld) -> None:
    """The signature would be in its way, at the very moment at which everybody looks."""
    world.arbiter.send("first")
    world.until(lambda: all_covered(world), 4 * CHECKPOINT_S)
    world.second.stop()
    world.run(2 * CHECKPOINT_S)
    world.arbiter.send("second")
    began = world.now
    world.second.start()
    world.until(lambda: world.arbiter.record.delivered == 2)
    assert [sent(station, began) for station in world.stations] == [0, 0]
    world.until(lambda: all_covered(world), 4 * CHECKPOINT_S)


@pytest.mark.parametrize("way_s", [0.01, 0.6])
def test_on_a_slow_link_a_new_session_is_left_alone_for_longer(
    make_world: Callable[..., LineWorld], way_s: float
) -> None:
    """At 64 kbit/s the first FLASH found a checkpoint and a courier key, four records, in its way."""
    world = make_world(3)
    world.delay_s = way_s
    world.start()
    world.until_up()
    agreed = world.now
    world.arbiter.send("first")
    calm_s = max(CALM_S, CALM_ROUND_TRIPS * 2 * way_s)
    world.run(6 * calm_s)
    for station in world.stations:
        [signed] = [at for at, told in station.reports if told.event == "checkpoint_sent"][:1]
        [kept] = [at for at, told in station.reports if told.event == "courier_key_kept"]
        assert 0.5 * calm_s < signed - agreed < 2 * calm_s
        assert 1.5 * calm_s < kept - agreed < 4 * calm_s


def test_the_last_checkpoint_goes_before_the_goodbye(world: LineWorld) -> None:
    """What was said in the last seconds before a stop would stay without it for as long as it lasts."""
    world.run(1)
    exchange(world, "a")
    world.until(lambda: all_covered(world), 4 * CHECKPOINT_S)
    world.run(CHECKPOINT_S / 2)
    world.arbiter.send("last-words")
    world.run(0.5)
    said = world.arbiter.record
    asked = world.now
    world.arbiter.stop()
    second = world.second
    took = world.until(lambda: bool(second.events("session_closed", asked)), 5)
    assert took < 1.0
    world.run(0.1)
    held = newest(second, Side.PEER)
    assert held is not None
    assert held.numbers == (said.own.number, said.peer.number)
    assert second.reason == "peer-stopped"


def test_a_disk_that_hangs_delays_no_goodbye(world: LineWorld) -> None:
    """A stop that waits for a disk that never answers is one that an operator ends by force."""
    world.arbiter.send("a")
    world.run(1)
    world.arbiter.send("b")
    world.run(1)
    world.commit_s = (50.0, 50.0)
    asked = world.now
    world.arbiter.stop()
    world.run(CHECKPOINT_LAST_S / 2)
    world.arbiter.wake()  # for whatever reason: it is not time yet
    world.until(lambda: bool(world.second.events("session_closed", asked)), 5)
    took = world.now - asked
    assert CHECKPOINT_LAST_S <= took < CHECKPOINT_LAST_S + 0.3


def test_where_nothing_is_left_to_sign_the_goodbye_waits_for_no_disk(world: LineWorld) -> None:
    """A stop would wait for a disk that hangs, over a checkpoint that the peer has already."""
    exchange(world, "a")
    world.until(lambda: all_covered(world), 4 * CHECKPOINT_S)
    world.run(1)
    world.commit_s = (50.0, 50.0)
    asked = world.now
    world.arbiter.stop()
    took = world.until(lambda: bool(world.second.events("session_closed", asked)), 5)
    assert took < CHECKPOINT_LAST_S / 2


def test_one_that_was_lost_goes_out_again_with_the_next_session(world: LineWorld) -> None:
    """The peer would stay without it until something new is said, which may be never."""
    before = [sent(station) for station in world.stations]
    world.arbiter.send("a")
    world.until(
        lambda: any(sent(s) > n for s, n in zip(world.stations, before, strict=True)),
        2 * CHECKPOINT_S,
    )
    world.cut()
    world.until_up()
    world.until(lambda: all_covered(world), 4 * CHECKPOINT_S)


def test_a_full_disk_signs_nothing_and_goes_on_later(world: LineWorld) -> None:
    """A checkpoint that no disk holds must not leave, and must not be forgotten either."""
    exchange(world, "a")
    world.until(lambda: all_covered(world), 4 * CHECKPOINT_S)
    world.run(CHECKPOINT_S)
    for message in ("b", "c"):  # the first is signed for at once, the second when the disk is full
        world.second.send(message)
        world.run(0.2)
    world.arbiter.full = True
    full = world.now
    world.run(3 * CHECKPOINT_S)
    assert sent(world.arbiter, full) == 0
    world.arbiter.full = False
    world.until(lambda: all_covered(world), 6 * CHECKPOINT_S)


def test_it_goes_on_after_a_recovery(make_world: Callable[..., LineWorld]) -> None:
    """A store from a backup holds older checkpoints than it has sent: neither side may choke on it."""
    world = make_world(5)
    world.checks = False
    for station in world.stations:
        station.addresses = (world.other(station).name,)
    world.start().until_up()
    exchange(world, "a")
    world.until(lambda: all_covered(world), 4 * CHECKPOINT_S)
    victim = world.second
    rest(victim)
    kept = copy(victim)
    victim.start()
    world.until_up()
    exchange(world, "b")
    world.until(lambda: all_covered(world), 4 * CHECKPOINT_S)
    rest(victim)
    restore(victim, kept)
    victim.start()
    until_halted(world, victim, world.arbiter)
    victim.ask(lambda tx, line: (taking_back.begin(tx, line),), lambda outcome: outcome[0])
    world.run(0.1)
    victim.do(lambda line, at: line.retry(at))
    world.until(lambda: all(s.state == "up" and not s.record.recovering for s in world.stations))
    exchange(world, "c")
    world.until(lambda: all_covered(world), 6 * CHECKPOINT_S)


# --- what is taken in -----------------------------------------------------------------------------


@pytest.fixture
def settled(world: LineWorld) -> LineWorld:
    """Give a world in which both logs have some entries, and no checkpoint is under way."""
    exchange(world, "a")
    world.until(lambda: all_covered(world), 4 * CHECKPOINT_S)
    world.arbiter.send("b")
    world.second.send("c")
    world.run(1.0)
    return world


def take_in(station: Station, checkpoint: Checkpoint) -> object:
    """Take a checkpoint into a station's store, as its line would."""
    line, pairing = station.record.line, pairing_of(station)
    [outcome] = station.store.transact(
        [lambda tx: checkpoints.take_in(tx, line, pairing, checkpoint, 5)]
    )
    return outcome


def signed(station: Station, own: Position, peer: Position) -> Checkpoint:
    """Have the peer of a station sign two positions, true or not."""
    other = pairing_of(station.world.other(station))
    return other.sign_checkpoint(own, peer, 7)


def test_an_honest_one_is_kept(settled: LineWorld) -> None:
    """The other tests here would pass with a function that keeps nothing."""
    station = settled.arbiter
    honest = signed(station, station.record.peer, station.record.own)
    assert take_in(station, honest) == honest
    assert newest(station, Side.PEER) == honest
    assert take_in(station, honest) is None


@pytest.mark.parametrize("log", ["own", "peer"])
def test_another_head_under_a_signature_is_a_fork(settled: LineWorld, log: str) -> None:
    """Two signed histories at one number: the clearest proof there is, and a line that must stop."""
    station = settled.arbiter
    true = signed(station, station.record.peer, station.record.own)
    place = replace(getattr(true, log), head=bytes(64))
    false = signed(
        station,
        place if log == "own" else true.own,
        place if log == "peer" else true.peer,
    )
    outcome = take_in(station, false)
    assert isinstance(outcome, HaltError)
    assert outcome.code == "fork"
    whose = "its own" if log == "own" else "our"
    assert f"another entry {place.number} of {whose} log" in str(outcome)
    assert newest(station, Side.PEER) != false


def test_more_of_our_log_than_we_have_says_that_our_store_is_old(settled: LineWorld) -> None:
    """Only this station writes its log: who holds more of it holds what this store has lost."""
    station = settled.arbiter
    beyond = replace(station.record.own, number=station.record.own.number + 1)
    outcome = take_in(station, signed(station, station.record.peer, beyond))
    assert isinstance(outcome, HaltError)
    assert outcome.code == "own-log-lost"
    assert f"up to entry {beyond.number}, but it ends here at {beyond.number - 1}" in str(outcome)


def test_what_cannot_be_compared_is_left_alone(settled: LineWorld) -> None:
    """A head of the peer's log beyond our copy proves nothing yet, true or false."""
    station = settled.arbiter
    beyond = replace(station.record.peer, number=station.record.peer.number + 1)
    assert take_in(station, signed(station, beyond, station.record.own)) is None


@pytest.mark.parametrize("spoilt", ["signature", "time", "reflected"])
def test_a_signature_that_is_not_the_peers_is_refused(settled: LineWorld, spoilt: str) -> None:
    """Any of these kept would be evidence that falls apart in the hands of whoever relies on it."""
    station = settled.arbiter
    true = signed(station, station.record.peer, station.record.own)
    if spoilt == "signature":
        signature = bytes([true.signature[0] ^ 1]) + true.signature[1:]
        false = replace(true, signature=signature)
    elif spoilt == "time":
        false = replace(true, time_ns=8)
    else:
        ours = pairing_of(station).sign_checkpoint(station.record.own, station.record.peer, 7)
        false = replace(ours, own=true.own, peer=true.peer)
    assert isinstance(take_in(station, false), ProtocolError)


def test_an_older_one_changes_nothing(settled: LineWorld) -> None:
    """A peer that signs backwards must not take from us what it signed before."""
    station = settled.arbiter
    held = newest(station, Side.PEER)
    assert held is not None
    older = signed(station, replace(held.own, number=held.own.number - 1), held.peer)
    assert take_in(station, older) is None
    crossed = signed(station, station.record.peer, replace(held.peer, number=0))
    assert take_in(station, crossed) is None
    assert newest(station, Side.PEER) == held


@pytest.mark.parametrize(
    "stopped", [{"halt": Halt("fork", "two histories", 1)}, {"recovering": True}]
)
def test_a_line_that_must_not_go_on_signs_nothing(
    settled: LineWorld, stopped: dict[str, object]
) -> None:
    """What is signed for decades may not be of a history that is in doubt, nor of half a log."""
    station = settled.arbiter
    line, pairing = station.record.line, pairing_of(station)
    held = newest(station, Side.OWN)
    signs: list[object] = station.store.transact(
        [
            lambda tx: tx.put_line(replace(tx.line(line), **stopped)),  # type: ignore[arg-type]
            lambda tx: checkpoints.sign(tx, line, pairing, 5),
        ]
    )
    assert signs == [None, None]
    assert newest(station, Side.OWN) == held
