"""A peer that is not who the configuration says: nothing is exchanged, and the operator is told."""

from __future__ import annotations

import shutil

from support.processes import until
from support.stations import Station, Stations, message

from hotline.identity.linesecret import write_line_secret

REASONS = {"no-answer", "handshake-failed"}


def assert_nothing_gets_through(caller: Station, called: Station) -> None:
    """Let both try for a while, and see that neither is taken in."""
    caller.launch()
    called.launch()
    for station, line in ((caller, called.name), (called, caller.name)):
        until(f"{station.name} answers", station._answers)  # noqa: SLF001
        station.send(line, message("secret-1", "for one pair of eyes only"))
    caller.call("retry")
    called.await_logged("stranger_ignored")
    for station, line in ((caller, called.name), (called, caller.name)):
        station.await_logged("dial_failed", line=line)
        assert station.logged("session_opened") == []
        assert station.logged("line_state", state="up") == []
        assert station.box("inbox") == []
        assert [one["state"] for one in station.box("outbox")] == ["queued"]
        done = station.hotline("status", "--check")
        assert done.code == 6, done
        status = station.status(line)
        assert (status["state"], status["attended"]) == ("down", None)
        assert status["next_attempt_s"] is not None or status["attempts"] >= 0


def test_another_card_for_the_same_name_is_refused(stations: Stations) -> None:
    """Whoever swaps a card must get nothing: neither messages nor a line that looks up."""
    alpha, bravo, charlie = (stations.make(name) for name in ("alpha", "bravo", "charlie"))
    alpha.pin(bravo)
    bravo.pin(alpha)
    # Bravo's operator was handed charlie's card as alpha's; the line is still called alpha.
    shutil.copyfile(charlie.card, bravo.folder / "alpha.card")
    assert_nothing_gets_through(alpha, bravo)


def test_another_line_secret_is_refused(stations: Stations) -> None:
    """The secret exchanged in person is worth nothing if a line opens without it."""
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    for station, peer, secret in ((alpha, bravo, b"a" * 32), (bravo, alpha, b"b" * 32)):
        write_line_secret(station.folder / "line.secret", secret)
        station.pin(peer, secret="line.secret")
    assert_nothing_gets_through(alpha, bravo)


def test_the_same_line_secret_opens_the_line(stations: Stations) -> None:
    """Without this, a secret that nobody can use would pass the test above."""
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    for station, peer in ((alpha, bravo), (bravo, alpha)):
        write_line_secret(station.folder / "line.secret", b"s" * 32)
        station.pin(peer, secret="line.secret")
    alpha.start()
    bravo.start()
    alpha.up("bravo")
    assert alpha.hotline("send", "bravo", "x", "--wait", "delivered").code == 0
