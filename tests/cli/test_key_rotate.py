"""``hotline key rotate`` at a scripted daemon, and what the other verbs say of new keys."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from cli.fake_daemon import FakeDaemon, Gone, Refusal, line

if TYPE_CHECKING:
    from pathlib import Path

    from cli.fake_daemon import Connection, Params
    from cli.station_operator import Operator

MADE = ("alpha.2.key", "alpha.2.card", "alpha.2.succession")


def status(**key_change: Any) -> Params:
    """Give a status answer with a change of keys."""
    found = {"station": "alpha", "station_id": "ab" * 32, "notices": [], "lines": [line()]}
    return {**found, "key_change": key_change}


def test_the_daemon_is_asked_before_and_told_after(
    operator: Operator, daemon: FakeDaemon, folder: Path
) -> None:
    """Files that were made at the wrong time would be taken up at the next start."""
    seen: list[list[bool]] = []

    def answer(_params: Params, _connection: Connection) -> Params:
        seen.append([(folder / name).exists() for name in MADE])
        return {"number": 2}

    daemon.on("rotate", answer)
    done = operator.run("key", "rotate")
    assert done.code == 0, done.err
    assert daemon.params("rotate") == [{"check": True}, {}]
    assert seen == [[False] * 3, [True] * 3]
    assert (folder / "alpha.2.key").stat().st_mode & 0o777 == 0o600
    card = operator.run("card", "--json").objects[0]
    assert card["id"] in done.out.replace(" ", "")
    assert operator.run("key", "show", "--json").objects[0]["id"] == card["id"]
    # The files outlive a daemon that had no time to be told, and nothing is made twice.
    again = operator.run("key", "rotate")
    assert again.code == 0, again.err
    assert operator.run("card", "--json").objects[0]["id"] == card["id"]


def test_what_the_daemon_refuses_is_not_made(
    operator: Operator, daemon: FakeDaemon, folder: Path
) -> None:
    """A second change before the first is confirmed would leave a peer behind."""

    def refuse(_params: Params, _connection: Connection) -> Params:
        raise Refusal("rotation-under-way", "the peer has not confirmed", "wait")

    daemon.on("rotate", refuse)
    done = operator.run("key", "rotate")
    assert (done.code, "has not confirmed" in done.err) == (5, True)
    assert not any((folder / name).exists() for name in MADE)


def test_a_card_that_does_not_belong_is_never_signed(
    operator: Operator, daemon: FakeDaemon, folder: Path
) -> None:
    """Whatever lies under the next number, the old keys vouch for no card but that of its key."""
    daemon.on("rotate", lambda _params, _connection: {"number": 2})
    (folder / "alpha.2.card").write_bytes((folder / "peer" / "bravo.card").read_bytes())
    done = operator.run("key", "rotate")
    assert (done.code, "does not belong" in done.err) == (2, True), done.err
    assert not (folder / "alpha.2.succession").exists()


def test_status_says_who_is_waited_for_and_what_to_destroy(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """An old key that nobody is told to destroy stays."""
    daemon.on("status", lambda *_: status(number=2, waiting=["bravo"], old_keys=["alpha.key"]))
    shown = operator.run("status").out
    assert "new keys, number 2: not yet confirmed on line bravo" in shown
    assert "destroy" not in shown
    daemon.on("status", lambda *_: status(number=2, waiting=[], old_keys=["\x1b[2Jalpha.key"]))
    shown = operator.run("status").out
    assert "old keys are over: destroy " in shown
    assert "\x1b" not in shown


def test_the_watch_is_told_of_keys(operator: Operator, daemon: FakeDaemon) -> None:
    """A change that nobody ordered is a stolen key."""

    def events(_params: Params, connection: Connection) -> Params:
        connection.put({"id": 1, "result": {}})
        told = {"event": "keys", "at": "2026-11-23T15:30:00.000000Z", "line": "bravo"}
        for what in ("peer_keys_changed", "key_change_confirmed"):
            connection.notify("event", {**told, "what": what, "id": "ab" * 32})
        raise Gone

    daemon.on("watch", events)
    shown = operator.run("watch", "bravo").out
    assert "bravo  the peer has changed its keys: abababababababab..." in shown
    assert "bravo  the peer has confirmed our new keys: abababababababab..." in shown


def test_a_peer_pinned_afterwards_is_given_the_newest_card(
    operator: Operator, daemon: FakeDaemon, folder: Path
) -> None:
    """It must never have to trust a key that may have been changed because it was stolen."""
    daemon.on("rotate", lambda _params, _connection: {"number": 2})
    assert operator.run("key", "rotate").code == 0
    daemon.on("trust", lambda *_: {"revoked_at": None, "revoked_by": None})
    made = operator.run("init", "cairo", "--dir", "other")
    assert made.code == 0, made.err
    added = operator.run("peer", "add", "other/cairo.card")
    assert added.code == 0, added.err
    assert 'own_card = "alpha.2.card"' in (folder / "hotline.toml").read_text()
    words = [
        operator.run("peer", "verify", name, "--json").objects[0] for name in ("cairo", "bravo")
    ]
    assert words[0]["words"] != words[1]["words"]
    assert words[0]["words"][0] in added.out


def test_no_card_of_its_own_is_pinned(operator: Operator, daemon: FakeDaemon, folder: Path) -> None:
    """The first card lies beside the peer's: mistaken for it, it made a line that nobody answers."""
    daemon.answers("rotate", {"number": 2})
    assert operator.run("key", "rotate").code == 0
    before = (folder / "hotline.toml").read_bytes()
    for card in ("alpha.card", "alpha.2.card"):
        done = operator.run("peer", "add", card, "--name", "north")
        assert (done.code, "this station's own card" in done.err) == (5, True)
    assert (folder / "hotline.toml").read_bytes() == before


def test_a_peers_newer_card_makes_no_second_line_to_it(
    operator: Operator, daemon: FakeDaemon, folder: Path
) -> None:
    """One station under two names: half of the orders would go where nobody looks."""
    daemon.on("trust", lambda *_: {"revoked_at": None, "revoked_by": None})
    peers = FakeDaemon(folder / "peer" / "state" / "control.sock")
    peers.answers("rotate", {"number": 2})
    rotated = operator.run("key", "rotate", "--config", "peer/hotline.toml")
    peers.close()
    assert rotated.code == 0, rotated.err
    # As the daemon keeps it, beside the card that is pinned, once it has come.
    shutil.copy(folder / "peer" / "bravo.2.succession", folder / "bravo.2.succession")
    done = operator.run("peer", "add", "peer/bravo.2.card", "--name", "north")
    assert (done.code, "as the line bravo does" in done.err) == (5, True), done.err
