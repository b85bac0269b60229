"""Two real daemons: a line is verified, a card is revoked, and neither is forgotten."""

from __future__ import annotations

import json
import signal

import pytest

from hotline.identity import Card, pair_code, read_card, read_secret_keys, write_card
from support.processes import until
from support.stations import Refused, Station, Stations, message, start


def revoked_by(station: Station, line: str) -> str | None:
    by: str | None = station.status(line)["revoked_by"]
    return by


def notices(station: Station, line: str) -> list[str]:
    return [notice["code"] for notice in station.status(line)["notices"]]


def confirm(station: Station, peer: Station) -> None:
    """Mark the line to peer as verified."""
    words = pair_code(read_card(station.card).id, read_card(peer.card).id)
    done = station.hotline("peer", "verify", peer.name, "--confirm", " ".join(words))
    assert done.code == 0, done.err


def test_a_verification_outlives_the_daemon(stations: Stations) -> None:
    """A mark that a restart forgets would have two people meet again and again."""
    alpha, bravo = stations.running_pair()
    assert notices(alpha, "bravo") == ["never-verified"]
    confirm(alpha, bravo)
    assert notices(alpha, "bravo") == []
    before = alpha.status("bravo")["verified_at"]
    logged = alpha.await_logged("line_verified", line="bravo")
    assert logged["operator"] == alpha.status("bravo")["verified_by"]
    assert notices(bravo, "alpha") == ["never-verified"], "each side vouches for itself"
    alpha.kill()
    alpha.start()
    assert alpha.status("bravo")["verified_at"] == before
    until("both lives told of it", lambda: len(alpha.logged("line_verified")) == 2)
    assert [one["since"] for one in alpha.logged("line_verified", line="bravo")] == [before] * 2


def test_a_line_is_verified_while_no_daemon_runs(stations: Stations) -> None:
    """What was decided without the daemon must stand in its log as well, or the log is no record."""
    alpha, bravo = stations.pair()
    confirm(alpha, bravo)
    alpha.start()
    status = alpha.status("bravo")
    logged = alpha.await_logged("line_verified", line="bravo")
    assert (logged["operator"], logged["since"]) == (status["verified_by"], status["verified_at"])


def test_another_card_was_never_verified(stations: Stations) -> None:
    """A card that is slipped in under a verified line's name must not inherit its mark."""
    alpha, bravo = stations.running_pair()
    confirm(alpha, bravo)
    other = stations.make("charlie")
    alpha.pin(bravo)
    (alpha.folder / "bravo.card").write_bytes(other.card.read_bytes())
    words = pair_code(read_card(alpha.card).id, read_card(other.card).id)
    early = alpha.hotline("peer", "verify", "bravo", "--confirm", " ".join(words))
    assert early.code == 5, "the daemon runs with the old card still"
    assert "with another card" in early.err
    alpha.running.tell(signal.SIGHUP)
    alpha.await_logged("config_reloaded")
    assert notices(alpha, "bravo") == ["never-verified"]


def test_a_revoked_card_is_refused_for_good(stations: Stations) -> None:
    """At once, after a restart, under another name, and whatever the peer or an operator tries."""
    alpha, bravo = stations.running_pair()
    bravo.send("alpha", message("before", "said in good time"))
    bravo.settled("alpha")
    done = alpha.hotline("peer", "revoke", "bravo", "--confirm", "bravo")
    assert done.code == 0, done.err
    status = alpha.status("bravo")
    assert (status["state"], status["reason"], status["session_age_s"]) == (
        *("halted", "revoked", None),
    )
    logged = alpha.await_logged("line_revoked", line="bravo")
    assert logged["operator"] == status["revoked_by"]
    bravo.when("alpha", reason="peer-revoked")
    assert bravo.await_logged("session_closed", code="revoked")
    for method, params in (
        ("send", {"line": "bravo", "messages": [message("late")]}),
        ("ack", {"id": "before"}),
        ("retry", {"line": "bravo"}),
        ("recover", {"line": "bravo"}),
    ):
        with pytest.raises(Refused) as caught:
            alpha.call(method, **params)
        assert caught.value.code == "revoked", method
    assert [one["id"] for one in alpha.box("inbox", "bravo")] == ["before"], "the record stays"
    alpha.kill()
    bravo.call("retry")
    alpha.start()
    assert alpha.status("bravo")["reason"] == "revoked"
    until("both lives told of it", lambda: len(alpha.logged("line_revoked", line="bravo")) == 2)
    alpha.await_logged("stranger_ignored")
    # The same card under another name, first by the verb, then by an editor.
    alpha.lines = {}
    alpha.write()
    added = alpha.hotline("peer", "add", str(bravo.card), "--name", "north")
    assert (added.code, "refused for good" in added.err) == (5, True)
    alpha.pin(bravo)
    alpha.lines["bravo"]["name"] = "north"
    alpha.write()
    alpha.running.tell(signal.SIGHUP)
    alpha.await_logged("config_reloaded", lines=["north"])
    assert alpha.status("north")["reason"] == "revoked"
    assert json.loads(alpha.hotline("status", "--json").out)["lines"][0]["revoked_by"]
    assert alpha.logged("session_agreed")[-1]["timestamp"] < logged["timestamp"]


def test_a_card_is_revoked_while_no_daemon_runs(stations: Stations) -> None:
    """The night on which a daemon does not start is the night on which it may matter."""
    alpha, bravo = stations.running_pair()
    assert alpha.stop() == 0
    assert alpha.hotline("peer", "revoke", "bravo", "--confirm", "bravo").code == 0
    alpha.start()
    assert alpha.status("bravo")["reason"] == "revoked"
    assert revoked_by(alpha, "bravo")
    logged = alpha.await_logged("line_revoked", line="bravo")
    assert logged["operator"] == revoked_by(alpha, "bravo")
    assert bravo.status("alpha")["state"] == "down"


def test_a_card_is_revoked_with_its_successors(stations: Stations) -> None:
    """Whoever took the station has its newest card, and would only have to be pinned under that."""
    alpha, bravo = stations.running_pair()
    assert bravo.hotline("key", "rotate").code == 0
    bravo.when("alpha", key_change="confirmed")
    assert alpha.hotline("peer", "revoke", "bravo", "--confirm", "bravo").code == 0
    alpha.lines = {}
    alpha.write()
    for running in (True, False):
        if not running:
            assert alpha.stop() == 0
        added = alpha.hotline("peer", "add", str(bravo.folder / "bravo.2.card"), "--name", "north")
        assert (added.code, "refused for good" in added.err) == (5, True), added.err
    alpha.pin(bravo)
    alpha.start()
    assert alpha.status("bravo")["reason"] == "revoked", "the first card, after a restart"


def test_a_succession_that_is_handed_over_leads_to_no_revoked_card(stations: Stations) -> None:
    """A file beside a card that nobody has revoked must not open the door to one that somebody has."""
    _, bravo = stations.running_pair()
    assert bravo.hotline("key", "rotate").code == 0
    bravo.when("alpha", key_change="confirmed")
    charlie = stations.make("charlie")
    (charlie.folder / "bravo.card").write_bytes((bravo.folder / "bravo.2.card").read_bytes())
    pinned = charlie.hotline("peer", "add", str(charlie.folder / "bravo.card"))
    assert pinned.code == 0, pinned.err
    assert charlie.hotline("peer", "revoke", "bravo", "--confirm", "bravo").code == 0
    charlie.pin(bravo)
    (charlie.folder / "bravo.card").write_bytes(bravo.card.read_bytes())
    handed = (bravo.folder / "bravo.2.succession").read_bytes()
    succession = charlie.folder / "bravo.2.succession"
    charlie.start()
    assert charlie.status("bravo")["reason"] != "revoked"
    succession.write_bytes(handed)
    charlie.running.tell(signal.SIGHUP)
    assert charlie.await_logged("config_not_reloaded")
    charlie.kill()
    charlie.start()
    assert charlie.status("bravo")["reason"] == "revoked"


def test_earlier_cards_of_a_revoked_station_are_refused_where_a_succession_shows_them(
    stations: Stations,
) -> None:
    """A card from before the one that was pinned here is another one: only the succession tells."""
    _, bravo = stations.running_pair()
    assert bravo.hotline("key", "rotate").code == 0
    bravo.when("alpha", key_change="confirmed")
    charlie = stations.make("charlie")
    given = charlie.folder / "given"
    given.mkdir()
    (given / "newer.card").write_bytes((bravo.folder / "bravo.2.card").read_bytes())
    assert charlie.hotline("peer", "add", str(given / "newer.card"), "--name", "north").code == 0
    assert charlie.hotline("peer", "revoke", "north", "--confirm", "north").code == 0
    # By itself the earlier card is a stranger's, as docs/threat-model.md says.
    (given / "older.card").write_bytes(bravo.card.read_bytes())
    added = charlie.hotline("peer", "add", str(given / "older.card"), "--name", "east")
    assert added.code == 0, added.err
    succession = (bravo.folder / "bravo.2.succession").read_bytes()
    (given / "any.succession").write_bytes(succession)
    (charlie.folder / "east.card").unlink()
    charlie.write()
    added = charlie.hotline("peer", "add", str(given / "older.card"), "--name", "east")
    assert (added.code, "another card of bravo was refused for good" in added.err) == (5, True)


def test_a_new_card_over_the_same_keys_is_refused(stations: Stations) -> None:
    """Whoever has a revoked station's keys can make as many cards of them as there are dates."""
    alpha, bravo = stations.running_pair()
    assert alpha.hotline("peer", "revoke", "bravo", "--confirm", "bravo").code == 0
    keys = read_secret_keys(bravo.folder / "bravo.key")
    again = alpha.folder / "again.card"
    write_card(again, Card.make("golf", keys, 5))
    added = alpha.hotline("peer", "add", str(again))
    assert added.code == 5
    assert "as the line bravo does" in added.err


def test_other_lines_go_on(stations: Stations) -> None:
    """Ending one line must not disturb another, nor a retry of all lines."""
    alpha, bravo, charlie = (stations.make(name) for name in ("alpha", "bravo", "charlie"))
    for peer in (bravo, charlie):
        alpha.pin(peer)
        peer.pin(alpha)
    start(alpha, bravo, charlie)
    assert alpha.hotline("peer", "revoke", "bravo", "--confirm", "bravo").code == 0
    retried = alpha.call("retry")
    assert retried["lines"] == ["charlie"]
    assert {one["line"]: one["outcome"] == "revoked" for one in retried["outcomes"]} == {
        "bravo": True,
        "charlie": False,
    }
    alpha.send("charlie", message("still-here"))
    alpha.settled("charlie")
    assert alpha.status("charlie")["state"] == "up"
