"""The control socket of a real daemon: nothing that is said to it may hurt it."""

from __future__ import annotations

import json
import os
import pwd
import socket
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from support.processes import ROOT, seen_of, until
from support.stations import Refused, Station, Stations, message

Pair = tuple[Station, Station]

LONE_SURROGATE = "\ud800"
HUGE = 2**64


def answer_to(station: Station, data: bytes) -> dict[str, Any]:
    """Send bytes and give the first object that comes back."""
    with station.client() as client:
        client.sock.sendall(data)
        return client.take()


def assert_serves(station: Station) -> None:
    """See that the daemon still does its work."""
    assert station.running.alive
    assert station.call("status")["station"] == station.name


def test_only_this_user_can_open_it(pair: Pair) -> None:
    """Whoever can open the socket can speak in an operator's name."""
    alpha, _ = pair
    mode = alpha.socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE(alpha.state.stat().st_mode) & 0o077 == 0


NO_DIRECTORY = """
import pathlib, pwd
getpwuid = pwd.getpwuid
def ask(uid):
    if pathlib.Path({cut!r}).exists():
        raise RuntimeError("asked a directory that does not answer")
    return getpwuid(uid)
pwd.getpwuid = ask
"""


def test_no_command_asks_who_its_operator_is(stations: Stations, tmp_path: Path) -> None:
    """Names may come over the network: while it is cut, each `status` would stall all heartbeats."""
    alpha, _ = stations.pair()
    cut = tmp_path / "cut"
    (tmp_path / "sitecustomize.py").write_text(NO_DIRECTORY.format(cut=str(cut)))
    alpha.inside = ("env", f"PYTHONPATH={tmp_path}:{ROOT}")
    alpha.start()
    cut.touch()
    assert_serves(alpha)
    alpha.send("bravo", message("signed"))
    assert alpha.box("outbox")[0]["author"] == pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\n", -32700),
        (b"no JSON\n", -32700),
        (b"\xff\xfe\n", -32700),
        (b"[" * 100_000 + b"\n", -32700),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"status","params":{"n":' + b"9" * 5000 + b"}}\n",
            -32700,
        ),
        (b"[]\n", -32600),
        (b"null\n", -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"status"}\n', -32600),
        (b'{"jsonrpc":"2.0","id":[1],"method":"status"}\n', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"status"}\n', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":1}\n', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"status","params":[]}\n', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"__init__"}\n', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}\n', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"status","params":{"verbose":true}}\n', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"show"}\n', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"show","params":{"id":7}}\n', -32602),
    ],
)
def test_what_is_no_request_is_answered_with_its_error(pair: Pair, data: bytes, code: int) -> None:
    """A daemon that dies of a typing error in somebody's script takes the line with it."""
    alpha, _ = pair
    assert answer_to(alpha, data)["error"]["code"] == code
    assert_serves(alpha)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("send", {"line": "bravo", "messages": []}),
        ("send", {"line": "bravo", "messages": [{"id": "x"}] * 1025}),
        ("send", {"line": LONE_SURROGATE, "messages": [{"id": "x"}]}),
        ("inbox", {"after": HUGE}),
        ("inbox", {"before": -HUGE}),
        ("outbox", {"limit": True}),
        ("inbox", {"line": LONE_SURROGATE}),
        ("show", {"id": LONE_SURROGATE}),
        ("show", {"id": "x" * 100_000}),
        ("show", {"id": "\0"}),
        ("ack", {"id": LONE_SURROGATE}),
        ("ack", {"id": "fuzz-1", "note": LONE_SURROGATE}),
        ("ack", {"id": "fuzz-1", "note": "x" * 5000}),
        ("ack", {"id": "fuzz-1", "decision": "maybe"}),
        ("cancel", {"id": LONE_SURROGATE}),
        ("wait", {"line": "bravo", "ids": [LONE_SURROGATE], "state": "delivered"}),
        ("wait", {"line": "bravo", "ids": [[[]]], "state": "delivered"}),
        ("wait", {"line": "bravo", "ids": ["x"], "state": "cancelled"}),
        ("wait", {"line": "bravo", "ids": ["x"], "state": LONE_SURROGATE}),
        ("watch", {"line": LONE_SURROGATE}),
        ("retry", {"line": LONE_SURROGATE}),
    ],
)
def test_requests_beyond_all_sense_are_refused(
    pair: Pair, method: str, params: dict[str, Any]
) -> None:
    """A value that only the database objects to must come back as an error, not end the daemon."""
    alpha, bravo = pair
    if not any(one["id"] == "fuzz-1" for one in alpha.box("inbox")):
        bravo.send("alpha", message("fuzz-1"))
        until("there is a message", lambda: any(o["id"] == "fuzz-1" for o in alpha.box("inbox")))
    with pytest.raises(Refused), alpha.client() as client:
        client.call(method, **params)
    assert_serves(alpha)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": LONE_SURROGATE},
        {"id": ""},
        {"id": "../x"},
        {"id": "fuzz-s", "subject": LONE_SURROGATE},
        {"id": "fuzz-b", "body": LONE_SURROGATE},
        {"id": "fuzz-l", "subject": "x" * 257},
        {"id": "fuzz-p", "precedence": "LOUD"},
        {"id": "fuzz-e", "expires_at": "2001-01-01T00:00:00Z"},
        {"id": "fuzz-e", "expires_at": "9999-99-99T00:00:00Z"},
        {"id": "fuzz-e", "ack_by": "99999-01-01T00:00:00Z"},
        {"id": "fuzz-u", "unknown": 1},
        {"id": 7},
        {},
    ],
)
def test_one_bad_message_costs_the_others_nothing(pair: Pair, fields: dict[str, Any]) -> None:
    """Of a batch, only what cannot be sent is refused; and what is refused is not sent."""
    alpha, bravo = pair
    good = f"good-{abs(hash(json.dumps(fields)))}"
    with alpha.client() as client:
        results = client.call("send", line="bravo", messages=[fields, message(good)])["results"]
    assert results[0]["error"]["code"] in ("bad-request", "too-large")
    assert results[1]["id"] == good
    alpha.settled("bravo")
    got = [one["id"] for one in bravo.box("inbox")]
    assert good in got
    assert not any(one.startswith("fuzz-") for one in got)


def test_a_line_without_end_is_cut_off(pair: Pair) -> None:
    """A client that never ends its line must not fill the daemon's memory."""
    alpha, _ = pair
    with alpha.client() as client, pytest.raises((BrokenPipeError, ConnectionResetError)):
        client.sock.sendall(b"x" * 2**26)
    assert_serves(alpha)


def test_the_largest_batch_fits(pair: Pair) -> None:
    """What the limits promise must go through in one request."""
    alpha, bravo = pair
    body = "\n" * (2**20 - 1) + "."
    (answer,) = alpha.send("bravo", message("largest-1", body))
    assert answer["state"] == "queued"
    many = [message(f"largest-many-{n}") for n in range(1024)]
    assert len(alpha.send("bravo", *many)) == 1024
    alpha.settled("bravo")
    (got,) = bravo.call("show", id="largest-1")["messages"]
    assert got["body"] == body


def test_answers_come_as_they_are_ready(pair: Pair) -> None:
    """One request that waits must not hold up the others of its connection."""
    alpha, _ = pair
    alpha.send("bravo", message("slow-1"))
    with alpha.client() as client:
        waiting = client.post("wait", line="bravo", ids=["slow-1"], state="acknowledged")
        progress = []
        quick = client.post("status")
        while "method" in (answer := client.take()):
            progress.append(answer)
        assert answer["id"] == quick != waiting


def test_many_clients_at_once_get_their_own_answers(pair: Pair) -> None:
    """Answers that go to the wrong connection show an operator another's business."""
    alpha, bravo = pair
    wrong: list[str] = []

    def work(number: int) -> None:
        with alpha.client() as client:
            for turn in range(20):
                identifier = f"many-{number}-{turn}"
                sent = client.call("send", line="bravo", messages=[message(identifier)])
                (shown,) = client.call("show", id=identifier)["messages"]
                if [sent["results"][0]["id"], shown["id"]] != [identifier] * 2:
                    wrong.append(identifier)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    alpha.settled("bravo")
    got = [one["id"] for one in bravo.box("inbox") if one["id"].startswith("many-")]
    assert sorted(got) == sorted(f"many-{n}-{t}" for n in range(24) for t in range(20))


def test_clients_that_vanish_leave_nothing_behind(pair: Pair) -> None:
    """A script that is killed at the wrong moment must not cost the daemon a socket, or a message."""
    alpha, bravo = pair

    def open_files() -> int:
        return len(os.listdir(seen_of(alpha.running.process.pid, "fd")))  # noqa: PTH208

    before = open_files()
    request = {"jsonrpc": "2.0", "id": 1, "method": "send"}
    for number in range(60):
        made = [message(f"gone-{number}")]
        whole = json.dumps({**request, "params": {"line": "bravo", "messages": made}}).encode()
        client = alpha.client()
        if number % 3 == 0:
            client.sock.sendall(whole[: len(whole) // 2])
        elif number % 3 == 1:
            client.sock.sendall(whole + b"\n")
        else:
            client.post("watch")
            client.post("wait", line="bravo", ids=["gone-1"], state="acknowledged")
        client.close()
    # What was asked for whole may be done or not, but is never half done.
    until("all sockets are closed", lambda: open_files() <= before + 2)
    until("nobody is on watch", lambda: alpha.call("status")["on_watch"] == 0)
    alpha.settled("bravo")
    sent = {one["id"] for one in alpha.box("outbox") if one["id"].startswith("gone-")}
    assert sent <= {f"gone-{number}" for number in range(1, 60, 3)}
    assert sent <= {one["id"] for one in bravo.box("inbox")}


def test_half_a_connection_still_gets_its_answer(pair: Pair) -> None:
    """``echo request | socat - UNIX:control.sock`` closes its sending side at once."""
    alpha, _ = pair
    with alpha.client() as client:
        client.post("status")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.take()["result"]["station"] == "alpha"
        with pytest.raises(EOFError):
            client.take()


def test_a_watch_that_is_not_read_is_let_go(stations: Stations) -> None:
    """A terminal that was stopped with Ctrl-S must neither fill the daemon nor count as on watch."""
    alpha, bravo = stations.running_pair(heartbeat_s=0.5)
    with bravo.client() as watch:
        watch.call("watch")
        alpha.when("bravo", attended=True)
        for number in range(48):
            alpha.send("bravo", message(f"flood-{number}", "x" * 500_000))
        alpha.settled("bravo")
        alpha.when("bravo", attended=False)
        assert bravo.call("status")["on_watch"] == 0
        assert "keep up" in bravo.await_logged("control_client_dropped")["why"]
    assert len(bravo.box("inbox")) == 48


def test_a_watch_tells_messages_in_the_order_of_the_log(pair: Pair) -> None:
    """The words "cancel my last" mean another message if the two are shown the wrong way round."""
    alpha, bravo = pair
    ids = [f"ordered-{number}" for number in range(300)]
    with bravo.client() as watch:
        watch.call("watch", line="alpha")
        with alpha.client() as client:
            for identifier in ids:
                client.post("send", line="bravo", messages=[message(identifier)])
            assert all("result" in client.take() for _ in ids)
        in_log = [one["id"] for one in bravo_has(bravo, ids)]
        seen: list[str] = []
        while len(seen) < len(ids):
            event = watch.take()["params"]
            if event["event"] == "message":
                seen.append(event["message"]["id"])
    assert in_log == ids, "one client's messages are queued in the order in which it sends them"
    assert seen == ids


def bravo_has(station: Station, ids: list[str]) -> list[dict[str, Any]]:
    """Wait until a station has received all of ids, and give them in the order of the log."""

    def found() -> list[dict[str, Any]] | None:
        got = [one for one in station.box("inbox") if one["id"] in ids]
        return got if len(got) == len(ids) else None

    return until("all messages are there", found)
