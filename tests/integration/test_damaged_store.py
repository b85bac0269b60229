"""A store that cannot be read as it was written: who learns of it, and what goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import apsw
import pytest

from support.processes import ROOT
from support.stations import Refused, Station, Stations, message, start


def spoil(station: Station, statement: str) -> None:
    """Change the store of a station whose daemon is not running, behind its back."""
    database = apsw.Connection(str(station.state / "store.db"))
    database.execute(statement)
    database.close()


SPOILT = [
    "UPDATE entry SET data = zeroblob(length(data)) WHERE instr(data, 'body of old');"
    "UPDATE content SET content = zeroblob(length(content)) WHERE instr(content, 'body of old')",
    "UPDATE message SET precedence = 77 WHERE id = 'old'",
    "UPDATE message SET note = CAST(x'ff' AS TEXT), acknowledged_ns = 1 WHERE id = 'old'",
]


@pytest.mark.parametrize("statement", SPOILT)
def test_a_damaged_row_is_the_trouble_of_who_looks_at_it(
    stations: Stations, statement: str
) -> None:
    """One old message that has rotted must not end all lines whenever somebody looks at it."""
    alpha, bravo = stations.one_session()
    bravo.send("alpha", message("old"), message("other"))
    bravo.settled("alpha")
    alpha.stop()
    spoil(alpha, statement)
    alpha.start()
    alpha.up("bravo")
    for _ in range(2):
        done = alpha.hotline("show", "old")
        assert done.code == 5
        assert "hint: the other messages can be read" in done.err
    alpha.await_logged("store_damaged", level="critical")
    assert alpha.hotline("show", "other").code == 0
    alpha.send("bravo", message("new"))
    alpha.settled("bravo")
    assert alpha.stop() == 0
    assert len(alpha.logged("store_damaged")) == 1
    assert alpha.logged("store_failed") == []


@pytest.mark.parametrize("statement", SPOILT)
def test_a_damaged_row_hides_no_other_message(stations: Stations, statement: str) -> None:
    """Nobody can ask for a message whose id no page shows; and a page with a hole must say so."""
    alpha, bravo = stations.one_session()
    bravo.send("alpha", *(message(one) for one in ("first", "old", "last")))
    bravo.settled("alpha")
    alpha.stop()
    spoil(alpha, statement)
    alpha.start()
    alpha.up("bravo")
    for how in ([], ["--all"], ["--limit", "2"]):
        done = alpha.hotline("inbox", *how, "--json")
        shown = [json.loads(row)["id"] for row in done.out.splitlines()]
        assert (done.code, shown) == (5, ["first", "last"][-1 if "2" in how else 0 :])
        assert "message old of line bravo is damaged" in done.err
    assert alpha.hotline("inbox", "--limit", "1").code == 0
    assert "damaged" in alpha.hotline("inbox").out
    with alpha.client() as client:
        for asked in ({}, {"after": 0}, {"limit": 2}):
            with pytest.raises(Refused) as caught:
                client.call("inbox", **asked)
            assert caught.value.code == "store-damaged", "who does not ask for a hole gets none"
        assert client.call("inbox", limit=1)["more"] is True
        [one] = client.call("inbox", limit=2, skip_damaged=True)["damaged"]
        assert (one["id"], one["line"]) == ("old", "bravo")
        assert client.call("inbox", before=one["row"], skip_damaged=True)["damaged"] == []
    assert len(alpha.logged("store_damaged")) == 1
    assert alpha.stop() == 0


@pytest.mark.parametrize("statement", SPOILT)
def test_a_repeated_send_of_a_damaged_message_refuses_nothing(
    stations: Stations, statement: str, tmp_path: Path
) -> None:
    """A batch sent again after a lost answer: told as refused, its messages would be sent twice."""
    alpha, bravo = stations.one_session()
    alpha.send("bravo", message("old"))
    alpha.settled("bravo")
    bravo.stop()
    alpha.stop()
    spoil(alpha, statement)
    start_alone(alpha)
    again = (message("fresh"), message("old"))
    assert alpha.send("bravo", *again) == [
        {"id": "fresh", "state": "queued", "repeated": False},
        {"id": "old", "state": None, "repeated": True},
    ]
    alpha.await_logged("store_damaged", level="critical")
    done = alpha.hotline("send", "bravo", "body of old", "--id", "old")
    assert (done.code, done.out) == (
        0,
        "state not known: old for bravo (it was sent before)\n",
    )
    batch = tmp_path / "batch.ndjson"
    batch.write_text("".join(json.dumps(one) + "\n" for one in (message("newest"), *again)))
    told = alpha.json("send", "bravo", "--batch", str(batch))
    assert [(one["id"], one["state"], one["repeated"]) for one in told] == [
        ("newest", "queued", False),
        ("fresh", "queued", True),
        ("old", None, True),
    ]


@pytest.mark.parametrize("statement", SPOILT)
def test_an_answer_to_a_damaged_message_ends_no_daemon(stations: Stations, statement: str) -> None:
    """The peer says it at every session anew: the daemon would end at each start, for all its lines."""
    alpha, bravo = stations.one_session()
    alpha.send("bravo", message("old"), message("other"))
    alpha.settled("bravo")
    alpha.stop()
    spoil(alpha, statement)
    assert bravo.hotline("ack", "old", "--decision", "wilco").code == 0
    assert bravo.hotline("ack", "other").code == 0
    alpha.start()
    alpha.up("bravo")
    alpha.when("bravo", unacknowledged=0)
    assert alpha.hotline("show", "other").code == 0
    assert alpha.stop() == 0
    assert alpha.logged("store_failed") == []


NO_READER = """
from hotline.errors import RefusedError
from hotline.store.reader import SqliteReader
def show(*_):
    raise RefusedError("busy", "no further reader can be opened now")
SqliteReader.show = show
"""


def test_a_repeated_send_that_cannot_be_looked_up_refuses_nothing(
    stations: Stations, tmp_path: Path
) -> None:
    """The same, where the daemon has no descriptor left to read its store."""
    alpha, _ = stations.pair()
    (tmp_path / "sitecustomize.py").write_text(NO_READER)
    alpha.inside = ("env", f"PYTHONPATH={tmp_path}:{ROOT}")
    start_alone(alpha)
    alpha.send("bravo", message("old"))
    assert alpha.send("bravo", message("old"), message("fresh")) == [
        {"id": "old", "state": None, "repeated": True},
        {"id": "fresh", "state": "queued", "repeated": False},
    ]


UNREADABLE = """
import hotline.daemon.watching as watching
from hotline.errors import StoreDamagedError
from hotline.store.messages import Messages
watching._SPELT_OUT = watching._FEW = 0  # nothing is at hand: all is read from the store
view = Messages.view
def spoilt(self, row):
    found = view(self, row)
    if found.id == "bad":
        raise StoreDamagedError("message bad has rotted")
    return found
Messages.view = spoilt
"""


def test_who_is_on_watch_hears_of_what_cannot_be_shown(stations: Stations, tmp_path: Path) -> None:
    """An order that only the log knows of is one that nobody has read."""
    alpha, bravo = stations.pair()
    (tmp_path / "sitecustomize.py").write_text(UNREADABLE)
    alpha.inside = ("env", f"PYTHONPATH={tmp_path}:{ROOT}")
    start(alpha, bravo)
    alpha.up("bravo")
    with alpha.client() as client:
        client.call("watch")
        bravo.send("alpha", message("good"), message("bad"), message("end"))
        told: list[Any] = []
        while not told or told[-1] != "end":
            event = client.take()["params"]
            if event["event"] == "message":
                told.append(event["message"]["id"])
            elif event["event"] == "missed":
                told.append((event["ids"], event["why"]))
    assert (["bad"], "message bad has rotted") in told
    assert "good" in told


def test_a_store_that_cannot_be_read_ends_an_idle_daemon(stations: Stations) -> None:
    """A line that says "up" while nothing can be stored would take a peer's order into the void."""
    alpha, bravo = stations.pair()
    bravo.pin(alpha, calls=False)
    alpha.pin(bravo, calls=False)  # nobody dials: nothing is committed
    start_alone(alpha)
    alpha.send("bravo", *(message(f"m{number}", "x" * 50_000) for number in range(40)))
    alpha.stop()
    start_alone(alpha)
    os.truncate(alpha.state / "store.db", 8192)
    assert alpha.hotline("outbox", "--limit", "1000").code == 5
    assert alpha.running.wait() == 1
    [alarm] = alpha.logged("store_failed")
    assert alarm["level"] == "critical"
    assert "store.db" in alarm["why"]


def start_alone(station: Station) -> None:
    """Start a station whose line cannot come up."""
    station.start()
    station.await_logged("daemon_started")


def test_a_damaged_store_comes_back_as_the_manual_says(stations: Stations, tmp_path: Path) -> None:
    """Steps that nobody has walked lead an operator, on the worst of days, into a fork."""
    alpha, bravo = stations.one_session()
    charlie = stations.make("charlie")
    alpha.pin(charlie)
    alpha.send("bravo", message("said"))
    bravo.send("alpha", message("heard"))
    alpha.settled("bravo")
    bravo.settled("alpha")
    alpha.stop()
    assert alpha.hotline("peer", "revoke", "charlie", "--confirm", "charlie").code == 0
    store = alpha.state / "store.db"
    store.write_bytes(b"damaged " * 1000)
    alpha.launch()
    assert alpha.running.wait() == 1
    assert "hotline line recover" in alpha.logged("daemon_failed")[-1]["hint"]

    for path in alpha.state.glob("store.db*"):
        path.rename(tmp_path / path.name)
    assert alpha.hotline("peer", "revoke", "charlie", "--confirm", "charlie").code == 0
    alpha.start()
    alpha.when("bravo", state="halted", reason="own-log-lost")
    assert alpha.hotline("line", "recover", "bravo").code == 0
    alpha.await_logged("line_recovered", line="bravo")
    alpha.send("bravo", message("again"))
    alpha.settled("bravo")
    assert [one["id"] for one in alpha.box("outbox")] == ["said", "again"]
    assert [one["id"] for one in alpha.box("inbox")] == ["heard"]
    assert [one["id"] for one in bravo.box("inbox")] == ["said", "again"]
    assert alpha.status("charlie")["reason"] == "revoked"
