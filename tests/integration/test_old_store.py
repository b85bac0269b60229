"""A store that was restored or cloned: both stations stop, and nobody signs a second history."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

from support.processes import until
from support.stations import Station, Stations, log_lines, message

STOPPED = ("own-log-lost", "peer-log-lost", "peer-halted")


def keep_store(station: Station, into: Path) -> None:
    """Copy the store of a station whose daemon is not running."""
    shutil.copytree(station.state, into)


def put_back(station: Station, kept: Path) -> None:
    """Restore it: what the station has done since is forgotten, but for its logs."""
    for path in station.state.glob("store.db*"):
        path.unlink()
    for path in kept.glob("store.db*"):
        shutil.copy(path, station.state / path.name)


def beats(station: Station) -> list[dict[str, Any]]:
    """Give the beats of a station's heartbeat log: each has how many entries it has signed."""
    lines = log_lines(station.state / "heartbeat.jsonl")
    return [line for line in lines if line["event"] == "heartbeat"]


def assert_stopped(*sides: tuple[Station, str, str]) -> None:
    """Wait until both sides are halted, and see that it is told wherever an operator may look.

    Each is (station, line, code of its halt): both find out for themselves, whoever is first.
    """

    def stopped() -> list[dict[str, Any]] | None:
        found = [station.status(line) for station, line, _ in sides]
        return found if all(one["state"] == "halted" for one in found) else None

    for status, (station, _, code) in zip(until("both halt", stopped), sides, strict=True):
        assert status["reason"] == code
        assert status["detail"]
        assert status["next_attempt_s"] is None
        station.await_logged("line_halted", level="error", code=code)
        checked = station.hotline("status", "--check")
        assert checked.code == 6
        assert f"halted: {code}" in checked.err


def assert_nothing_more_is_signed(station: Station, line: str) -> None:
    """Queue more and start again, which is no operator's decision: no entry and no session come."""
    before = beats(station)[-1]["own_number"]
    received = len(station.box("inbox"))
    station.send(line, message("after-halt"))
    station.stop()
    station.start()
    station.send(line, message("after-restart"))
    seen = len(beats(station))
    until("it beats on", lambda: len(beats(station)) > seen + 2)
    assert {beat["own_number"] for beat in beats(station)[seen:]} == {before}
    assert {beat["state"] for beat in beats(station)[seen:]} == {"halted"}
    assert len(station.box("inbox")) == received
    states = {one["id"]: one["state"] for one in station.box("outbox")}
    assert (states["after-halt"], states["after-restart"]) == ("queued", "queued")


def test_a_restored_store_halts_both(stations: Stations, tmp_path: Path) -> None:
    """A station that has forgotten what it signed would sign other words under the same numbers."""
    alpha, bravo = stations.running_pair()
    alpha.send("bravo", message("one"))
    alpha.settled("bravo")
    alpha.stop()
    keep_store(alpha, tmp_path / "kept")
    alpha.start()
    alpha.up("bravo")
    alpha.send("bravo", message("two"), message("three"))
    alpha.settled("bravo")
    alpha.stop()
    put_back(alpha, tmp_path / "kept")
    alpha.start()
    assert_stopped((alpha, "bravo", "own-log-lost"), (bravo, "alpha", "peer-log-lost"))
    assert_nothing_more_is_signed(alpha, "bravo")
    assert_nothing_more_is_signed(bravo, "alpha")
    assert [one["id"] for one in bravo.box("inbox")] == ["one", "two", "three"]

    # An operator may ask to look again; as long as nothing has changed, the line stays stopped:
    # whoever is halted again first turns the other away.
    for station, line in ((alpha, "bravo"), (bravo, "alpha")):
        assert station.hotline("retry").code == 0
        station.await_logged("line_unhalted")
        until("it has been looked at", lambda s=station, n=line: s.status(n)["reason"] in STOPPED)  # type: ignore[misc]
    assert "halted" in {alpha.status("bravo")["state"], bravo.status("alpha")["state"]}
    assert [one["id"] for one in bravo.box("inbox")] == ["one", "two", "three"]
    for station in (alpha, bravo):
        assert station.hotline("status", "--check").code == 6


def test_the_newest_store_is_put_back_and_the_peer_says_retry(
    stations: Stations, tmp_path: Path
) -> None:
    """What `status` says to do, done to the letter: the peer stays halted until it is said there."""
    alpha, bravo = stations.running_pair()
    alpha.send("bravo", message("one"))
    alpha.settled("bravo")
    alpha.stop()
    keep_store(alpha, tmp_path / "old")
    alpha.start()
    alpha.up("bravo")
    alpha.send("bravo", message("two"))
    alpha.settled("bravo")
    alpha.stop()
    keep_store(alpha, tmp_path / "newest")
    put_back(alpha, tmp_path / "old")
    alpha.start()
    assert_stopped((alpha, "bravo", "own-log-lost"), (bravo, "alpha", "peer-log-lost"))
    alpha.stop()
    put_back(alpha, tmp_path / "newest")
    alpha.start()
    until("alpha hears of it", lambda: alpha.status("bravo")["reason"] == "peer-halted")
    assert bravo.hotline("retry", "alpha").code == 0
    alpha.up("bravo")
    bravo.up("alpha")
    assert [one["id"] for one in bravo.box("inbox")] == ["one", "two"]


def test_a_wiped_store_halts_both(stations: Stations) -> None:
    """A new disk with the old key is the same danger as an old backup."""
    alpha, bravo = stations.running_pair()
    alpha.send("bravo", message("one"))
    bravo.send("alpha", message("one"))
    alpha.settled("bravo")
    bravo.settled("alpha")
    bravo.stop()
    for path in bravo.state.glob("store.db*"):
        path.unlink()
    bravo.start()
    assert_stopped((alpha, "bravo", "peer-log-lost"), (bravo, "alpha", "own-log-lost"))
    assert bravo.box("inbox") == []


def test_two_histories_under_one_number_are_a_fork(stations: Stations, tmp_path: Path) -> None:
    """Where both logs are of one length, only the heads can tell that they differ."""
    alpha, bravo = stations.running_pair()
    alpha.send("bravo", message("common"))
    alpha.settled("bravo")
    alpha.stop()
    keep_store(alpha, tmp_path / "before")
    alpha.start()
    # Only what has been heard is sent anything; it is up before that.
    until("bravo's heartbeat came", lambda: alpha.status("bravo")["rtt_ms"] is not None)
    # Sealed and put on the wire, but the peer dies before it reads it: no receipt is given.
    bravo.running.tell(signal.SIGSTOP)
    alpha.send("bravo", message("first-history"))
    alpha.when("bravo", queued=0, in_flight=1)
    bravo.kill()
    alpha.stop()
    keep_store(alpha, tmp_path / "after")

    put_back(alpha, tmp_path / "before")
    alpha.start()
    bravo.start()
    alpha.up("bravo")
    alpha.send("bravo", message("second-history"))
    alpha.settled("bravo")
    alpha.stop()
    put_back(alpha, tmp_path / "after")
    alpha.start()
    assert_stopped((alpha, "bravo", "fork"), (bravo, "alpha", "fork"))
    assert_nothing_more_is_signed(alpha, "bravo")
    assert [one["id"] for one in bravo.box("inbox")] == ["common", "second-history"]


def test_a_cloned_station_is_found_out(stations: Stations, tmp_path: Path) -> None:
    """The clone that calls after the original has spoken is turned away for good."""
    alpha, bravo = stations.running_pair()
    alpha.send("bravo", message("common"))
    alpha.settled("bravo")
    alpha.stop()
    keep_store(alpha, tmp_path / "clone")
    alpha.start()
    alpha.up("bravo")
    alpha.send("bravo", message("original"))
    alpha.settled("bravo")

    clone = stations.make("alpha")
    clone.pin(bravo)
    clone.state.mkdir(mode=0o700)
    put_back(clone, tmp_path / "clone")
    clone.start()
    clone.send("bravo", message("cloned"))
    assert_stopped((clone, "bravo", "own-log-lost"), (bravo, "alpha", "peer-log-lost"))
    alpha.when("bravo", reason="peer-halted")
    assert_nothing_more_is_signed(clone, "bravo")
    assert [one["id"] for one in bravo.box("inbox")] == ["common", "original"]
