"""Attacks on real daemons and commands: hostile text, other users, a crowd at the door."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import socket
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from hotline import limits
from support.callers import Callers
from support.processes import until
from support.stations import SLOW_BEAT_S, Station, Stations, message, start
from support.stations_proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[Station, Station]

# --- hostile text ---------------------------------------------------------------------------------

HOSTILE: Final = {
    "escape": "\x1b[2J\x1b]0;owned\x07",
    "C1": "\x9b31m\x85\x90",
    "carriage return": "all quiet\rATTACK NOW",
    "backspace": "no\b\b\b\byes",
    "zero": "a\0b",
    "bidi": "\u202eevil\u202c \u2066x\u2069",
    "line separators": "one\u2028two\u2029three",
    "invisible": "pay\u200bload\ufeff\U000e0041",
    "a forged line": "x\n2026-11-24T00:00:00Z critical line_halted line=bravo",
    "a forged object": 'x"}\n{"id":"forged","state":"delivered"}',
}

RAW: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
"""What may reach neither a terminal nor a log as it is (newline and tab are the program's own)."""


@pytest.fixture(scope="module")
def told(shared_stations: Stations) -> Pair:
    """Have alpha send and bravo receive every hostile text, as body and as subject."""
    alpha, bravo = shared_stations.all
    alpha.up("bravo")
    sent = [
        message(f"hostile-{number}", text, subject=text)
        for number, text in enumerate(HOSTILE.values())
    ]
    whole = "".join(HOSTILE.values())
    sent.append(message("hostile-all", whole, subject=whole[:60]))
    for result in alpha.send("bravo", *sent):
        assert "error" not in result, result
    alpha.settled("bravo")
    with bravo.client() as client:
        client.call("ack", id="hostile-0", note="".join(HOSTILE.values()))
    until(
        "the answer is back",
        lambda: alpha.call("show", id="hostile-0")["messages"][0]["state"] == "acknowledged",
    )
    return alpha, bravo


@pytest.mark.parametrize("verb", [["inbox", "--all"], ["outbox", "--all"], ["show", "hostile-all"]])
def test_hostile_text_to_terminal_table_and_json(told: Pair, verb: list[str]) -> None:
    """A peer that can drive the operator's terminal can show whatever it likes, and type commands."""
    station = told[0] if verb[0] == "outbox" else told[1]
    shown = station.hotline(*verb)
    assert shown.code == 0, shown.err
    assert RAW.search(shown.out + shown.err) is None
    assert "\\u{1b}" in shown.out, "the text was left out, not escaped"
    as_json = station.hotline(*verb, "--json")
    assert RAW.search(as_json.out) is None
    ids = [json.loads(line)["id"] for line in as_json.out.splitlines()]
    assert "hostile-all" in ids
    assert "forged" not in ids


def test_hostile_text_comes_back_whole_from_json(told: Pair) -> None:
    """A program must get what was said, to the letter, or it will guess."""
    bodies = {one["id"]: one["body"] for one in told[1].json("inbox", "--all")}
    for number, text in enumerate(HOSTILE.values()):
        assert bodies[f"hostile-{number}"] == text


def test_hostile_text_to_the_logs(told: Pair) -> None:
    """A line of a log that the peer wrote is a lie in the operator's own hand."""
    for station in told:
        for path in station.state.glob("*.jsonl"):
            text = path.read_text()
            assert RAW.search(text) is None, path
            for line in text[: text.rfind("\n") + 1].splitlines():
                assert json.loads(line)["event"]
        assert RAW.search(station.stderr.read_text()) is None
        assert station.logged("line_halted") == []


# --- another user ---------------------------------------------------------------------------------

NOBODY: Final = 65534


def asked_by_nobody(station: Station) -> str:
    """Ask for a station's status as another user of the machine: "closed", "unheard" or "answered"."""
    with warnings.catch_warnings():
        # Another interpreter would not do: nobody may be unable to reach the one that runs this.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 3
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            code = _ask(str(station.socket))
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return ("answered", "unheard", "closed", "error")[os.waitstatus_to_exitcode(status)]


def _ask(path: str) -> int:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        try:
            client.connect(path)
        except PermissionError:
            return 2
        try:
            client.sendall(b'{"jsonrpc":"2.0","id":1,"method":"status"}\n')
            return 0 if client.recv(65536) else 1
        except ConnectionError:
            return 1


@contextlib.contextmanager
def left_open(*paths: Path) -> Iterator[None]:
    """Give everyone all rights on paths for a while."""
    modes = [path.stat().st_mode for path in paths]
    try:
        for path in paths:
            path.chmod(0o777)
        yield
    finally:
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as another user")
def test_the_control_socket_used_by_another_user(pair: Pair) -> None:
    """Whoever has an account on the machine could send orders in the station's name."""
    alpha, _ = pair
    assert asked_by_nobody(alpha) == "closed"
    folders = [alpha.folder.parent, alpha.folder, alpha.state]
    with left_open(*folders):
        assert asked_by_nobody(alpha) == "closed", "the socket's own mode did not hold"
        with left_open(alpha.socket):
            assert asked_by_nobody(alpha) == "unheard", (
                "the kernel's word on who asks was not heard"
            )
    alpha.await_logged("control_refused")
    assert alpha.call("status")["station"] == "alpha"


# --- the crowd at the door ------------------------------------------------------------------------


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process open a socket for every caller."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def sockets_of(station: Station) -> int:
    """Count the daemon's open sockets."""
    found = 0
    for entry in Path(f"/proc/{station.running.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += entry.readlink().name.startswith("socket:")
    return found


def resident_bytes(station: Station) -> int:
    """Give the daemon's resident memory."""
    words = Path(f"/proc/{station.running.process.pid}/statm").read_text().split()
    return int(words[1]) * resource.getpagesize()


@pytest.mark.usefixtures("many_files")
def test_a_thousand_sockets_and_slowloris(stations: Stations) -> None:
    """A thousand callers who send a byte now and then must cost little, and not keep the peer out."""
    alpha, bravo = stations.one_session()  # bravo never calls
    alpha.stop()
    bravo.when("alpha", state="down")
    quiet, memory = sockets_of(bravo), resident_bytes(bravo)
    sources = [f"127.0.3.{number + 1}" for number in range(250)]
    with Callers(bravo.port, sources=sources) as crowd:
        for _ in range(20):
            crowd.call(50)
            crowd.drip(10)
        # More than the station lets go by itself, and still so few that it has seconds for each.
        crowd.keep_coming(0.02)
        most = quiet + limits.PENDING_TOTAL + 1
        until("the oldest yielded", lambda: sockets_of(bravo) <= most)
        alpha.start()
        alpha.up("bravo")
        assert alpha.hotline("send", "bravo", "x", "--wait", "delivered").code == 0
        assert not alpha.logged("line_state", reason="no-answer"), "it had to wait for a place"
        assert resident_bytes(bravo) - memory < 16 * limits.MIB
        until("they still come", lambda came=crowd.came: crowd.came > came)  # type: ignore[misc]
        assert crowd.held() > 0
    assert crowd.answered == 0


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("known", ["by its last session", "by name"])
def test_a_flood_from_many_addresses_and_a_peer_far_away(stations: Stations, known: str) -> None:
    """By satellite a peer's first unit comes late: those who called since would push it out."""
    alpha, bravo = stations.make("alpha"), stations.make("bravo")
    sources = [f"127.0.{net}.{number + 1}" for net in (3, 4) for number in range(250)]
    with Proxy(bravo.port) as path, Callers(bravo.port, sources=sources) as crowd:
        alpha.pin(bravo, path.address, heartbeat_s=SLOW_BEAT_S)
        addresses = ["127.0.0.1:1"] if known == "by name" else []
        bravo.pin(alpha, *addresses, calls=bool(addresses), heartbeat_s=SLOW_BEAT_S)
        start(bravo, alpha)

        def got_through() -> bool:
            """Tell whether one call was enough: alpha gives it up after ten seconds."""
            path.stall()
            path.cut()
            if addresses:  # so that it knows of no session
                bravo.stop()
                bravo.start()
            calls = len(path.upstream)
            until("it calls again", lambda: len(path.upstream) > calls)
            crowd.call(2 * limits.PENDING_TOTAL)
            until("the oldest yielded", lambda: crowd.held() <= limits.PENDING_TOTAL)
            path.flow()
            alpha.up("bravo")
            return len(path.upstream) == calls + 1

        until("the peer keeps its place", got_through)


# --- programs that lie ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"line": "bravo", "messages": {}},
        {"line": ["bravo"], "messages": [message("x")]},
        {"line": "bravo", "messages": [[]] * 1025},
        {"line": "bravo", "messages": [{"id": "x", "body": 1}]},
        {"line": "bravo", "messages": [{"id": "x", "body": {"a": []}}]},
        {"line": "bravo", "messages": [{"id": "x", "test": 1}]},
        {"line": "bravo", "messages": [{"id": "x", "precedence": 0}]},
        {"line": "bravo", "messages": [{"id": True}]},
        {"line": "bravo", "messages": [None]},
    ],
)
def test_type_confusion_on_the_control_socket(pair: Pair, params: dict[str, Any]) -> None:
    """A program's slip must come back to it as an error, and queue nothing."""
    alpha, _ = pair
    before = len(alpha.box("outbox"))
    with alpha.client() as client:
        number = client.post("send", **params)
        answer = client.take()
    assert answer["id"] == number
    refused = [answer] if "error" in answer else answer["result"]["results"]
    assert all("error" in one for one in refused)
    assert len(alpha.box("outbox")) == before
    assert alpha.running.alive
