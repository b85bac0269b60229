"""Messages between two daemons, as their operators see them."""

from __future__ import annotations

import json
import signal
import time
from datetime import datetime
from typing import Any

import pytest

from support.processes import slowdown, until
from support.stations import Station, message

Pair = tuple[Station, Station]

TEXT = "Grüße, 你好 🌍\n\tline two\n\nline four"


def at(value: str) -> datetime:
    """Read a time as the contract spells it."""
    return datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%f%z")


def shown(station: Station, identifier: str) -> dict[str, Any]:
    """Give one message as ``show`` does."""
    (found,) = station.json("show", identifier)
    return found


def test_a_message_and_its_acknowledgement_make_the_whole_way(pair: Pair) -> None:
    """A state, time or word that is lost on the way makes the record of an order worthless."""
    alpha, bravo = pair
    sent = alpha.hotline(
        *("send", "bravo", "-", "--id", "order-1", "--precedence", "flash"),
        *("--subject", "Überflug", "--ack-by", "30m", "--wait", "delivered", "--json"),
        stdin=TEXT.encode(),
    )
    assert sent.code == 0, sent.err
    assert json.loads(sent.out) == {
        "id": "order-1",
        "line": "bravo",
        "state": "delivered",
        "repeated": False,
    }
    (got,) = [one for one in bravo.json("inbox", "alpha", "--all") if one["id"] == "order-1"]
    expected = {
        "line": "alpha",
        "direction": "in",
        "precedence": "FLASH",
        "subject": "Überflug",
        "body": TEXT,
        "state": "delivered",
        "acknowledged_at": None,
    }
    assert {key: got[key] for key in expected} == expected
    assert at(got["composed_at"]) <= at(got["received_at"])

    acked = bravo.json("ack", "order-1", "--decision", "wilco", "--note", "sofort")
    assert [one["state"] for one in acked] == ["acknowledged"]
    mine = until(
        "the acknowledgement comes back",
        lambda: (one := shown(alpha, "order-1"))["state"] == "acknowledged" and one,
    )
    theirs = shown(bravo, "order-1")
    for one in (mine, theirs):
        assert (one["decision"], one["note"]) == ("wilco", "sofort")
        assert one["acknowledged_by"] == got["author"]  # one user plays both operators
    assert mine["number"] == theirs["number"]
    assert (mine["direction"], mine["body"]) == ("out", TEXT)
    times = [mine[f"{what}_at"] for what in ("composed", "sent", "delivered", "acknowledged")]
    assert [at(one) for one in times] == sorted(at(one) for one in times)
    assert mine["ack_by"] is not None


def test_who_is_on_watch_hears_what_was_answered(pair: Pair) -> None:
    """Told only that there is an answer, an operator takes "cannot" for "will comply"."""
    alpha, bravo = pair
    alpha.send("bravo", message("asked"))
    alpha.settled("bravo")
    with alpha.client() as watch:
        watch.call("watch", line="bravo")
        for decision in ("read", "cannot"):
            assert bravo.hotline("ack", "asked", "--decision", decision).code == 0
        told: list[dict[str, Any]] = []
        while len(told) < 2:
            event = watch.take()["params"]
            told += [event] if event["event"] == "acknowledged" else []
    by = shown(bravo, "asked")["acknowledged_by"]
    assert [(one["id"], one["decision"], one["acknowledged_by"]) for one in told] == [
        ("asked", "read", by),
        ("asked", "cannot", by),
    ]


def test_the_line_carries_both_ways_at_once(pair: Pair) -> None:
    """A line that works one way only would pass every test that sends one way."""
    alpha, bravo = pair
    alpha.send("bravo", message("both-1", "from alpha"))
    bravo.send("alpha", message("both-1", "from bravo"))
    for station, line, body in ((alpha, "bravo", "from bravo"), (bravo, "alpha", "from alpha")):
        station.settled(line)
        both = until(
            "the same id went both ways",
            lambda s=station: len(f := s.json("show", "both-1")) == 2 and f,  # type: ignore[misc]
        )
        assert {one["direction"]: one["body"] for one in both}["in"] == body


def test_a_mebibyte_arrives_as_it_was(pair: Pair) -> None:
    """A long message is cut into parts: one lost, doubled or out of order would change the text."""
    alpha, bravo = pair
    body = "".join(f"{number:07d}é" for number in range(2**20 // 9))
    done = alpha.hotline(
        "send", "bravo", "-", "--id", "long-1", "--wait", "delivered", stdin=body.encode()
    )
    assert done.code == 0, done.err
    assert shown(bravo, "long-1")["body"] == body
    alpha_says = shown(alpha, "long-1")
    assert (alpha_says["body"], alpha_says["state"]) == (body, "delivered")


def test_too_much_for_one_message_is_refused(pair: Pair) -> None:
    """A body that is cut off without a word is worse than one that is refused."""
    alpha, _ = pair
    (answer,) = alpha.send("bravo", message("huge-1", "x" * (2**20 + 1)))
    assert answer["error"]["code"] == "too-large"
    done = alpha.hotline("show", "huge-1")
    assert done.code == 5
    assert "there is no message" in done.err


def test_an_id_is_one_message(pair: Pair) -> None:
    """A script that repeats a send after a lost answer must not give the order twice."""
    alpha, bravo = pair
    first = alpha.hotline("send", "bravo", "advance", "--id", "once-1", "--wait", "delivered")
    again = alpha.json("send", "bravo", "advance", "--id", "once-1")
    other = alpha.hotline("send", "bravo", "retreat", "--id", "once-1")
    assert first.code == 0
    assert again == [{"id": "once-1", "line": "bravo", "state": "delivered", "repeated": True}]
    assert other.code == 5
    assert "once-1" in other.err
    assert [one["body"] for one in bravo.box("inbox") if one["id"] == "once-1"] == ["advance"]


def test_waiting_ends_in_time_and_the_message_stays(pair: Pair) -> None:
    """A wait that swallows its message, or never ends, leaves the operator without an answer."""
    alpha, bravo = pair
    waited = alpha.hotline(
        "send", "bravo", "unread", "--id", "wait-1", "--wait", "acknowledged", "--timeout", "0.3"
    )
    assert waited.code == 4
    assert shown(alpha, "wait-1")["state"] == "delivered"
    waiting = alpha.begin("send", "bravo", "read", "--id", "wait-2", "--wait", "acknowledged")
    until("bravo has it", lambda: any(one["id"] == "wait-2" for one in bravo.box("inbox")))
    assert waiting.alive
    assert bravo.hotline("ack", "wait-2").code == 0
    assert waiting.wait() == 0


def test_who_is_on_watch_sees_a_message_at_once_and_the_peer_sees_the_watch(pair: Pair) -> None:
    """An empty chair that is shown as manned is how a warning goes unread."""
    alpha, bravo = pair
    alpha.when("bravo", attended=False, reason="unattended")
    watch = bravo.begin("watch", "--json")
    assert watch.process.stdout is not None
    alpha.when("bravo", attended=True, reason="proven")
    slow, began = slowdown(), time.monotonic()
    alpha.send("bravo", message("watch-1", "look"))
    while (event := json.loads(watch.process.stdout.readline()))["event"] != "message":
        continue
    assert time.monotonic() - began < 2 * max(slow, slowdown())
    assert (event["line"], event["message"]["id"]) == ("alpha", "watch-1")
    assert event["message"]["body"] == "look"
    watch.tell(signal.SIGINT)
    assert watch.wait() == 130
    alpha.when("bravo", attended=False, reason="unattended")


def test_a_line_that_works_is_fit(pair: Pair) -> None:
    """An alarm that hangs on the exit code of a check must not ring for a line that works."""
    alpha, _ = pair
    alpha.fit()
    alpha.fit("bravo")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("send", "nobody", "x"), 5),
        (("show", "no-such"), 5),
        (("ack", "no-such"), 5),
        (("cancel", "once-1"), 5),
        (("send", "bravo", "x", "--id", "ack.1"), 2),
        (("send", "bravo", "x", "--precedence", "loud"), 2),
        (("status", "--check", "nobody"), 5),
    ],
)
def test_exit_codes_of_a_real_daemon(pair: Pair, arguments: tuple[str, ...], code: int) -> None:
    """A script decides by the exit code alone; it must mean what the contract says."""
    alpha, _ = pair
    done = alpha.hotline(*arguments)
    assert done.code == code, done
    assert done.err
