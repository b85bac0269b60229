"""Signals: an orderly end says goodbye and loses nothing; SIGHUP takes up what has changed."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path

import pytest

from support.processes import LONG_S, ROOT, slowdown, until
from support.stations import SLOW_BEAT_S, Station, Stations, message, start
from support.stations_sender import Sender


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_daemon_stops_quickly_under_load_and_says_goodbye(
    stations: Stations, tmp_path: Path, number: signal.Signals
) -> None:
    """A slow end is killed by its supervisor; an end without a word looks like an attack."""
    alpha, bravo = stations.running_pair()
    senders = []
    for station, line in ((alpha, "bravo"), (bravo, "alpha")):
        path = tmp_path / f"{station.name}.ndjson"
        lines = (json.dumps(message(f"{station.name}-{n}", "x" * 200)) for n in range(5_000))
        path.write_text("\n".join(lines))
        senders.append(station.begin("send", line, "--batch", path, "--json"))
    until(
        "both are under load",
        lambda: all(s.call("inbox", limit=1)["messages"] for s in stations.all),
    )
    slow, began = slowdown(), time.monotonic()
    assert alpha.stop(number) == 0
    took_s = time.monotonic() - began
    assert took_s < 2 * max(slow, slowdown())
    bravo.await_logged("line_state", line="alpha", reason="peer-stopped")
    bravo.await_logged("session_closed", code="stopped")
    assert not bravo.logged("session_cut")
    for sender in senders:
        sender.process.communicate(timeout=LONG_S)
    alpha.start()
    alpha.up("bravo")
    for station, line, peer in ((alpha, "bravo", bravo), (bravo, "alpha", alpha)):
        station.settled(line)
        kept = [one["id"] for one in station.box("outbox")]
        assert [one["id"] for one in peer.box("inbox")] == kept
        assert kept, "nothing was under way"


def test_a_stopped_peer_is_told_from_a_lost_one(stations: Stations) -> None:
    """An operator who reads "session lost" for an orderly stop raises an alarm for nothing."""
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    alpha.pin(bravo)
    bravo.pin(alpha, calls=False)  # bravo only listens, so nothing later covers the reason
    start(alpha, bravo)
    alpha.stop()
    status = bravo.when("alpha", state="down", reason="peer-stopped")
    assert status["attended"] is None
    alpha.start()
    alpha.up("bravo")
    alpha.kill()
    # A reset where something had come that the dead daemon had not read yet.
    lost = until("the line is down", lambda: (s := bravo.status("alpha"))["state"] == "down" and s)
    assert lost["reason"] in ("truncated", "session-lost")


def test_a_stop_with_a_stalled_peer_takes_no_longer(stations: Stations) -> None:
    """A peer that reads nothing must not be able to keep this daemon from ending."""
    alpha, bravo = stations.running_pair(heartbeat_s=10)
    bravo.running.tell(signal.SIGSTOP)
    alpha.send("bravo", *(message(f"stalled-{n}", "x" * 100_000) for n in range(30)))
    slow, began = slowdown(), time.monotonic()
    assert alpha.stop() == 0
    assert time.monotonic() - began < 2 * max(slow, slowdown())


LONG_GOODBYE = """
import trio
from hotline.daemon import station
from hotline.daemon.runner import Runner
stop = Runner.stop
async def slow(self, *, failed):
    await stop(self, failed=failed)
    if self.line.record.name == "bravo":
        await trio.sleep_forever()
Runner.stop = slow
station._STOP_S = 3
"""


def test_a_stopping_daemon_takes_no_more_calls(stations: Stations, tmp_path: Path) -> None:
    """A session that is agreed to, and then cut without a word, looks like an attack on the line."""
    alpha, bravo, charlie = (stations.make(name) for name in ("alpha", "bravo", "charlie"))
    (tmp_path / "sitecustomize.py").write_text(LONG_GOODBYE)
    alpha.inside = ("env", f"PYTHONPATH={tmp_path}:{ROOT}")
    alpha.pin(bravo, calls=False)
    alpha.pin(charlie, calls=False, heartbeat_s=SLOW_BEAT_S)
    charlie.pin(alpha, heartbeat_s=SLOW_BEAT_S)
    alpha.start()
    start(charlie)
    alpha.running.tell(signal.SIGTERM)
    charlie.await_logged("session_closed", code="stopped")
    charlie.call("retry")
    charlie.await_logged("dial_failed")
    assert alpha.running.wait() == 0
    assert len(charlie.logged("session_opened")) == 1
    assert charlie.logged("session_cut") == []


def test_hangup_takes_up_a_new_line_and_another_address(stations: Stations) -> None:
    """A line that needs a restart of all others to be added is added too late."""
    alpha, bravo, charlie = (stations.make(name) for name in ("alpha", "bravo", "charlie"))
    alpha.pin(bravo, heartbeat_s=SLOW_BEAT_S)
    bravo.pin(alpha, calls=False, heartbeat_s=SLOW_BEAT_S)
    start(alpha, bravo)
    age = alpha.status("bravo")["session_age_s"]
    charlie.pin(alpha)
    charlie.start()
    alpha.pin(charlie)
    alpha.running.tell(signal.SIGHUP)
    until("the line is there", lambda: len(alpha.call("status")["lines"]) == 2)
    alpha.up("charlie")
    assert alpha.hotline("send", "charlie", "x", "--wait", "delivered").code == 0
    assert alpha.status("bravo")["session_age_s"] > age, "what stood was left alone"

    bravo.stop()
    bravo.port = stations.free_port()
    bravo.write()
    bravo.start()
    alpha.pin(bravo)
    alpha.running.tell(signal.SIGHUP)
    assert alpha.up("bravo")["address"] == bravo.address

    del alpha.lines["charlie"]
    alpha.write()
    alpha.running.tell(signal.SIGHUP)
    told = charlie.when("alpha", state="down", reason="peer-stopped")["detail"]
    assert "the station goes on" in told, "nobody stopped the daemon there"
    until("the line is gone", lambda: len(alpha.call("status")["lines"]) == 1)
    alpha.await_logged("line_state", line="charlie", reason="reconfigured")
    assert not alpha.logged("line_state", reason="stopped")
    assert alpha.hotline("send", "charlie", "x").code == 5
    charlie.await_logged("session_closed", code="stopped")


@pytest.mark.parametrize(
    "fault",
    [
        "not TOML [",
        '[[line]]\nname = "x"\ncard = "no-such.card"\n',
        '[[line]]\nname = "x"\ncard = "bravo.card"\n',
        '[[line]]\nname = "x"\ncard = "alpha.card"\n',
    ],
)
def test_hangup_with_a_broken_configuration_changes_nothing(stations: Stations, fault: str) -> None:
    """A slip of the hand in a file must not take down a line that works."""
    alpha, bravo = stations.one_session()
    age = alpha.status("bravo")["session_age_s"]
    with alpha.path.open("a") as file:
        file.write(f"\n{fault}")
    alpha.running.tell(signal.SIGHUP)
    logged = alpha.await_logged("config_not_reloaded", level="error")
    assert logged["why"]
    alpha.send("bravo", message("still"))
    alpha.settled("bravo")
    assert alpha.status("bravo")["session_age_s"] > age
    assert [line["name"] for line in alpha.call("status")["lines"]] == ["bravo"]
    alpha.write()
    alpha.fit()
    assert alpha.stop() == 0
    assert bravo.box("inbox")[0]["id"] == "still"


def test_the_control_socket_is_gone_after_an_orderly_stop(pair_alone: Station) -> None:
    """A socket that nobody answers makes every program that watches it guess."""
    assert pair_alone.socket.is_socket()
    assert pair_alone.stop() == 0
    assert not pair_alone.socket.exists()


def test_hangup_takes_up_all_of_a_configuration_or_nothing(stations: Stations) -> None:
    """Half a new configuration is one that nobody has written: it may drop the line that matters."""
    alpha, bravo = stations.one_session()
    charlie = stations.make("charlie")
    before = alpha.lines.pop("bravo")
    alpha.pin(charlie)
    alpha.lines["delta"] = {"name": "delta", "card": "no-such.card"}
    alpha.write()
    alpha.running.tell(signal.SIGHUP)
    alpha.await_logged("config_not_reloaded")
    alpha.send("bravo", message("still"))
    alpha.settled("bravo")
    assert [line["name"] for line in alpha.call("status")["lines"]] == ["bravo"]
    del alpha.lines["delta"]
    alpha.lines["bravo"] = before
    alpha.write()
    alpha.running.tell(signal.SIGHUP)
    alpha.await_logged("config_reloaded")
    charlie.pin(alpha)
    start(charlie)
    alpha.up("charlie")
    assert alpha.status("bravo")["state"] == "up"
    bravo.await_logged("session_agreed")
    assert len(bravo.logged("session_agreed")) == 1


def test_lines_can_be_added_under_load(stations: Stations) -> None:
    """The new line is written by the same store that is busy: neither may trip over the other."""
    alpha, bravo = stations.running_pair()
    others = [stations.make(name) for name in ("charlie", "delta", "echo")]
    sender = Sender(alpha, "bravo")
    sender.start()
    for other in others:
        mark = len(sender.accepted) + 200
        until("it is under load", lambda m=mark: len(sender.accepted) > m)  # type: ignore[misc]
        alpha.pin(other)
        alpha.running.tell(signal.SIGHUP)
        alpha.await_logged("config_reloaded", lines=list(alpha.lines))
    sender.stop()
    alpha.settled("bravo")
    alpha.fit("bravo")
    assert {one["id"] for one in bravo.box("inbox")} == sender.accepted.keys()


@pytest.mark.parametrize("card", ["bravo.card", "alpha.card"])
def test_a_card_stands_for_one_line_only(stations: Stations, card: str) -> None:
    """Two lines to one peer would write one log twice; a line to oneself would write both."""
    alpha, _ = stations.pair()
    alpha.lines["other"] = {"name": "other", "card": card}
    alpha.write()
    alpha.launch()
    assert alpha.running.wait() == 2
    said = alpha.stderr.read_text()
    assert "other" in said
    assert "card" in said


@pytest.fixture
def pair_alone(stations: Stations) -> Station:
    """Give a running station without a line."""
    station = stations.make("alpha")
    station.start()
    return station


def test_two_daemons_started_at_once_agree_on_one_session(stations: Stations) -> None:
    """Both dial at the same moment: they must not replace each other's sessions for ever."""
    alpha, bravo = stations.pair(heartbeat_s=SLOW_BEAT_S)
    barrier = threading.Barrier(2)

    def launch(station: Station) -> None:
        barrier.wait()
        station.launch()

    threads = [threading.Thread(target=launch, args=(one,)) for one in (alpha, bravo)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    start_all = ((alpha, "bravo"), (bravo, "alpha"))
    for station, _ in start_all:
        station.ready()
    for station, line in start_all:
        station.up(line)
    for station, line in start_all:  # what was begun at once has been decided by then
        until("it has beaten a while", lambda s=station, n=line: s.status(n)["session_age_s"] > 0.5)  # type: ignore[misc]
    agreed = {station.name: len(station.logged("session_agreed")) for station, _ in start_all}
    for number in range(3):
        identifier = f"agreed-{number}"
        for station, line in start_all:
            done = station.hotline("send", line, "x", "--id", identifier, "--wait", "delivered")
            assert done.code == 0
    for station, _ in start_all:
        assert len(station.logged("session_agreed")) == agreed[station.name] <= 4
