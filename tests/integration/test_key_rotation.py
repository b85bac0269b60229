"""Real stations change their keys under load, and are killed in the midst of it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from hotline.identity import SecretKeys, read_card, read_secret_keys, write_secret_keys
from hotline.identity.keyfile import inspect_key_file
from hotline.identity.successors import Names, make_successor
from support.processes import hotline, until
from support.stations import message, start

if TYPE_CHECKING:
    from support.stations import Station, Stations

PASSPHRASE = b"correct horse battery staple\n"
LONG = "x" * 30_000


def load(stations: tuple[Station, Station], mark: str, count: int = 30) -> None:
    """Have both stations send, a part of it long."""
    for station, other in (stations, stations[::-1]):
        bodies = [LONG if n % 10 == 3 else "" for n in range(count)]
        sent = [message(f"{station.name}-{mark}-{n}", body) for n, body in enumerate(bodies)]
        assert all("error" not in answer for answer in station.send(other.name, *sent))


def confirmed(station: Station) -> bool:
    """Tell whether every peer has confirmed a station's newest keys."""
    change = station.call("status")["key_change"]
    return change is not None and not change["waiting"]


def all_arrived(stations: tuple[Station, Station]) -> None:
    """Wait for all that was sent: each once, with the body that was given."""
    for station, other in (stations, stations[::-1]):
        station.settled(other.name)
        sent = {one["id"]: one["body"] for one in station.box("outbox")}
        got = [(one["id"], one["body"]) for one in other.box("inbox")]
        assert dict(got) == sent
        assert len(got) == len(sent)


def test_both_stations_rotate_under_load_twice(stations: Stations) -> None:
    """Nothing may be lost or come twice, no line may go down, and the old keys must not be needed."""
    pair = alpha, bravo = stations.running_pair()
    first = {station.name: station.call("status")["station_id"] for station in pair}
    for turn in (2, 3):
        load(pair, f"before-{turn}")
        for station in pair:
            done = station.hotline("key", "rotate")
            assert done.code == 0, done.err
            load(pair, f"while-{station.name}-{turn}", 10)
        again = alpha.hotline("key", "rotate")
        assert again.code in (0, 5), again.err  # refused unless it was confirmed in between
        for station in pair:
            until(f"the keys of {station.name} are confirmed", lambda s=station: confirmed(s))  # type: ignore[misc]
        all_arrived(pair)
        if again.code == 5:
            assert "has not confirmed" in again.err
    for station in pair:
        change = station.call("status")["key_change"]
        assert change["number"] >= 3
        assert station.call("status")["station_id"] != first[station.name]
        station.await_logged("old_keys_ended")
        assert not station.logged("line_state", state="halted")
        assert f"{station.name}.key" in station.hotline("status").out
    for station, other in (pair, pair[::-1]):
        line, now = station.status(other.name), other.call("status")["station_id"]
        assert (line["peer_id"], line["peer_pinned_id"]) == (now, first[other.name])
        assert "the peer has changed its keys" in station.hotline("status").out
    destroy_old_keys(pair)
    load(pair, "after")
    all_arrived(pair)
    assert [alpha.status("bravo")["key_change"], bravo.status("alpha")["key_change"]] == [
        "confirmed",
        "confirmed",
    ]


def destroy_old_keys(pair: tuple[Station, Station]) -> None:
    """Do what status says, and start again without them."""
    for station in pair:
        for path in station.call("status")["key_change"]["old_keys"]:
            (station.folder / path).unlink()
        assert station.stop() == 0
    for station in pair:
        station.start()
    for station, other in (pair, pair[::-1]):
        station.up(other.name)


def test_a_rotation_is_cut_and_goes_on(stations: Stations) -> None:
    """Daemons that were killed must find each other and finish without an operator."""
    pair = alpha, bravo = stations.running_pair()
    load(pair, "before")
    bravo.kill()
    assert alpha.hotline("key", "rotate").code == 0
    assert alpha.status("bravo")["key_change"] == "pending"
    refused = alpha.hotline("key", "rotate")
    assert (refused.code, "has not confirmed" in refused.err) == (5, True)
    assert "hotline peer revoke bravo" in refused.err, "a peer that is gone must not block this"
    alpha.kill()
    for station in pair:
        station.start()
    bravo.await_logged("peer_keys_changed")
    for station in pair:
        station.kill()
        station.start()
    load(pair, "during")
    until("alpha's keys are confirmed", lambda: confirmed(alpha))
    all_arrived(pair)


@pytest.mark.parametrize("by", ["revoked", "removed"])
def test_the_last_that_is_waited_for_does_not_come_back(stations: Stations, by: str) -> None:
    """Whoever follows the log would keep the old key file for ever."""
    alpha, bravo, charlie = (stations.make(name) for name in ("alpha", "bravo", "charlie"))
    for peer in (bravo, charlie):
        alpha.pin(peer)
        peer.pin(alpha)
    start(alpha, bravo, charlie)
    charlie.kill()
    assert alpha.hotline("key", "rotate").code == 0
    alpha.await_logged("key_change_confirmed", line="bravo")
    assert alpha.call("status")["key_change"]["waiting"] == ["charlie"]
    assert alpha.logged("old_keys_ended") == []
    if by == "revoked":
        assert alpha.hotline("peer", "revoke", "charlie", "--confirm", "charlie").code == 0
    else:
        del alpha.lines["charlie"]
        alpha.write()
        alpha.running.tell(signal.SIGHUP)
    ended = alpha.await_logged("old_keys_ended")
    assert ended["files"] == alpha.call("status")["key_change"]["old_keys"]
    assert len(alpha.logged("old_keys_ended")) == 1


def test_files_that_were_made_are_gone_on_with(stations: Stations) -> None:
    """The verb may die after any file: the next call uses what stands, and overwrites nothing."""
    alpha, bravo = stations.running_pair()
    key = alpha.folder / "alpha.2.key"
    write_secret_keys(key, SecretKeys.generate(os.urandom))
    before = key.read_bytes()
    assert alpha.hotline("key", "rotate").code == 0
    until("alpha's keys are confirmed", lambda: confirmed(alpha))
    assert key.read_bytes() == before
    card = json.loads(alpha.hotline("card", "--json").out)
    assert card["id"] == alpha.call("status")["station_id"]
    shown = json.loads(alpha.hotline("key", "show", "--json").out)
    assert (shown["id"], shown["belongs_to_card"]) == (card["id"], True)
    # A daemon that was never told takes up what stands at its next start.
    assert bravo.stop() == 0
    made = Names.of(bravo.folder / "bravo.key", bravo.card, 2)
    old = read_card(bravo.card), read_secret_keys(bravo.folder / "bravo.key")
    make_successor(made, old, None, None, os.urandom, time.time_ns())
    bravo.start()
    until("bravo's keys are confirmed", lambda: confirmed(bravo))
    load((alpha, bravo), "after")
    all_arrived((alpha, bravo))
    # The later card is no other peer: who pins it is told which one to name.
    assert alpha.stop() == 0
    (alpha.folder / "bravo.card").write_bytes(made.card.read_bytes())
    refused = alpha.hotline("run")
    assert (refused.code, "was pinned first" in refused.err) == (2, True), refused.err


def test_a_protected_key_is_followed_by_a_protected_one(
    stations: Stations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon is given one passphrase at its start: it must open the old key and the new one."""
    alpha, bravo = stations.pair()
    done = alpha.hotline("key", "passphrase", "--new-passphrase-fd", "0", stdin=PASSPHRASE)
    assert done.code == 0, done.err
    (alpha.folder / "hotline-passphrase").write_bytes(PASSPHRASE)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(alpha.folder))
    start(alpha, bravo)
    # Each opening of a protected key takes a second of a free processor.
    done = hotline("--config", alpha.path, "key", "rotate", timeout_s=150)
    assert done.code == 0, done.err
    until("alpha's keys are confirmed", lambda: confirmed(alpha))
    assert inspect_key_file(alpha.folder / "alpha.2.key").protected
    (alpha.folder / "alpha.key").unlink()
    assert alpha.stop() == 0
    alpha.start()
    alpha.up("bravo")


def test_two_rotations_at_once(stations: Stations) -> None:
    """The second would take the first one's files for strays, and tell its operator to move them."""
    alpha, _ = stations.running_pair()
    with (alpha.folder / "alpha.key").open("rb") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = alpha.hotline("key", "rotate")
    assert (second.code, "another `hotline key rotate`" in second.err) == (5, True), second.err
    assert not (alpha.folder / "alpha.2.key").exists()
    assert alpha.hotline("key", "rotate").code == 0, "a lock must not outlive its holder"
    until("alpha's keys are confirmed", lambda: confirmed(alpha))


def test_no_daemon_no_rotation(stations: Stations) -> None:
    """The daemon must say first whether it is time: without it nothing is made."""
    alpha, _ = stations.pair()
    assert alpha.hotline("key", "rotate").code == 3
    assert not (alpha.folder / "alpha.2.key").exists()
