"""inbox, outbox, show, ack, cancel, status, retry, watch: what operators and programs read."""

import json
import re
from typing import Any

import pytest
from cli.fake_daemon import Connection, FakeDaemon, Gone, Params, Refusal, line, message
from cli.station_operator import Operator

from hotline.cli import rendering
from hotline.cli.columns import fill, fit, pad, width, wrap

HOSTILE = "\x1b[2J\x9b31m\u202eevil\u2028\u200b\r\n日本" * 20
CONTRACT = (
    "id line direction number precedence subject body composed_at sent_at delivered_at received_at"
    " acknowledged_at acknowledged_by decision state attempts author note ack_by expires_at"
).split()
RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*m|K)")


def hostile_message(**changes: Any) -> Params:
    """Give a message all of whose free text is hostile."""
    names = ("subject", "body", "author", "note", "acknowledged_by", "id", "line")
    return message(**{**dict.fromkeys(names, HOSTILE), "acknowledged_at": HOSTILE, **changes})


def pages(rows: int) -> Any:
    """Give a handler that pages through rows messages as the daemon does, at most 7 at a time."""

    def page(params: Params, _connection: Connection) -> Params:
        most = min(params["limit"], 7)
        if "after" in params:
            found = [row for row in range(1, rows + 1) if row > params["after"]]
            return {
                "messages": [message(row=row, id=f"m{row}") for row in found[:most]],
                "more": len(found) > most,
            }
        found = [row for row in range(1, rows + 1) if row < params.get("before", rows + 1)]
        return {
            "messages": [message(row=row, id=f"m{row}") for row in found[-most:]],
            "more": len(found) > most,
        }

    return page


def test_json_has_the_fields_of_the_contract(operator: Operator, daemon: FakeDaemon) -> None:
    """Programs hang on these names; a missing one breaks them silently."""
    daemon.answers("inbox", {"messages": [message()], "more": False})
    (found,) = operator.run("inbox", "--json").objects
    assert set(found) == set(CONTRACT) == set(rendering.FIELDS)
    assert found["body"] == "Twenty miles north.\nNot hostile."


@pytest.mark.parametrize(("limit", "expected"), [("3", [28, 29, 30]), ("20", range(11, 31))])
def test_the_newest_come_last(
    operator: Operator, daemon: FakeDaemon, limit: str, expected: range
) -> None:
    """Short pages must neither repeat nor leave out a message, and the newest stands at the end."""
    daemon.on("inbox", pages(30))
    done = operator.run("inbox", "bravo", "--open", "--limit", limit, "--json")
    assert [found["id"] for found in done.objects] == [f"m{row}" for row in expected]
    first = daemon.params("inbox")[0]
    assert (first["line"], first["open"]) == ("bravo", True)


def test_all_pages_are_read(operator: Operator, daemon: FakeDaemon) -> None:
    """--all that stops at a page's end would hide the newest messages."""
    daemon.on("outbox", pages(30))
    done = operator.run("outbox", "--all", "--json")
    assert [found["id"] for found in done.objects] == [f"m{row}" for row in range(1, 31)]


def test_older_messages_are_hinted_at(operator: Operator, daemon: FakeDaemon) -> None:
    """A list cut short without a word looks like the whole."""
    daemon.on("inbox", pages(30))
    assert "--all" in operator.run("inbox").err
    assert operator.run("inbox", "--limit", "30").err == ""


def damaged(row: int, **changes: Any) -> Params:
    """Give what the daemon tells of a message that it cannot show."""
    why = f"store.db: message {row} has rotted"
    known = {"row": row, "id": f"m{row}", "line": "bravo", "why": why, "hint": "see the manual"}
    return {**known, **changes}


def spoilt_pages(rows: int, bad: set[int]) -> Any:
    """Give a handler that goes round damaged messages, as the daemon does when it is asked to."""
    whole = pages(rows)

    def page(params: Params, connection: Connection) -> Params:
        if params.get("skip_damaged") is not True:
            raise Refusal("store-damaged")
        found = whole(params, connection)
        skipped = [damaged(one["row"]) for one in found["messages"] if one["row"] in bad]
        kept = [one for one in found["messages"] if one["row"] not in bad]
        return {**found, "messages": kept, "damaged": skipped}

    return page


@pytest.mark.parametrize("bad", [{5}, {1, 2, 3, 4, 5, 6, 7}, {24, 25, 26, 27, 28, 29, 30}, {30}])
@pytest.mark.parametrize("how", [["--all"], ["--limit", "30"]])
def test_a_damaged_message_hides_no_other(
    operator: Operator, daemon: FakeDaemon, bad: set[int], how: list[str]
) -> None:
    """One that has rotted took a page of a hundred with it; and a list with a hole is not whole."""
    daemon.on("inbox", spoilt_pages(30, bad))
    good = [f"m{row}" for row in range(1, 31) if row not in bad]
    done = operator.run("inbox", *how, "--json")
    assert [found["id"] for found in done.objects] == good
    assert done.code == 5
    for row in bad:
        assert f"message m{row} of line bravo is damaged: store.db: message {row} has" in done.err
    assert done.err.count("hint: see the manual") == 1
    done = operator.run("inbox", *how)
    assert (done.code, done.out.count("this message is damaged")) == (5, len(bad))
    assert [f"m{row}" for row in range(1, 31)] == re.findall(r"\bm\d+\b", done.out)


def test_the_newest_are_as_many_as_were_asked_for(operator: Operator, daemon: FakeDaemon) -> None:
    """Whoever asks for three is told of three, one of which may be damaged; it never goes on asking."""
    daemon.on("inbox", spoilt_pages(30, {29}))
    done = operator.run("inbox", "--limit", "3", "--json")
    assert ([found["id"] for found in done.objects], done.code) == (["m28", "m30"], 5)
    assert "m29" in done.err


def test_what_is_known_of_a_damaged_message_is_hostile(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """An id that has rotted may be anything, or nothing."""
    spoilt = [damaged(1, id=HOSTILE, line=None), damaged(2, id=None, why=HOSTILE, hint=None)]
    daemon.answers("inbox", {"messages": [], "damaged": spoilt, "more": False})
    done = operator.run("inbox")
    assert done.code == 5
    assert not RAW.search(done.out + done.err)
    assert "message - of line bravo is damaged" in done.err


def test_show_tells_of_the_one_that_is_damaged(operator: Operator, daemon: FakeDaemon) -> None:
    """An id may stand for two messages, ours and the peer's: the good one is shown."""
    daemon.answers("show", {"messages": [message()], "damaged": [damaged(7)]})
    done = operator.run("show", "m7")
    assert (done.code, "Twenty miles north" in done.out) == (5, True)
    assert "message m7 of line bravo is damaged" in done.err


def test_an_empty_page_that_promises_more_ends(operator: Operator, daemon: FakeDaemon) -> None:
    """A faulty answer must not make the command ask for ever."""
    daemon.answers("inbox", {"messages": [], "more": True})
    assert operator.run("inbox", "--all").code == 0


@pytest.mark.parametrize(
    "found",
    [
        message(),
        hostile_message(),
        message(id="x" * 64, line="l" * 32, subject="航" * 100),
        message(subject="", body="\n" + "w" * 2**20),
    ],
    ids=["plain", "hostile", "long", "endless"],
)
def test_tables_fit_and_are_safe(operator: Operator, daemon: FakeDaemon, found: Params) -> None:
    """A row that wraps, or moves the cursor, can make one message look like another."""
    daemon.answers("inbox", {"messages": [found, message()], "more": False})
    done = operator.run("inbox")
    assert done.code == 0
    assert not RAW.search(done.out)
    assert max(map(width, done.out.splitlines())) <= 80
    assert "231531ZNOV26" in done.out
    # An id that does not fit its column stands whole below it.
    assert found["id"] != "x" * 64 or "x" * 64 in done.out


@pytest.mark.parametrize("box", ["inbox", "outbox"])
@pytest.mark.parametrize("stem", ["northern-headquarters-", "n" * 31])
def test_two_lines_never_look_alike(
    operator: Operator, daemon: FakeDaemon, box: str, stem: str
) -> None:
    """An order for one headquarters is not to be read as one for the other."""
    names = [f"{stem}1", f"{stem}2"]
    found = [message(line=name, state="acknowledged") for name in names]
    daemon.answers(box, {"messages": found, "more": False})
    done = operator.run(box)
    assert re.findall(rf"  ({stem}\d)  acknowledged", done.out) == names
    assert done.out.count(found[0]["id"]) == 2, "each id stands whole, in its column or below"
    assert max(map(width, done.out.splitlines())) <= 80


def test_a_wider_terminal_is_used(operator: Operator, daemon: FakeDaemon) -> None:
    """On a wide screen nothing needs to be cut."""
    daemon.answers("inbox", {"messages": [message(subject="s" * 130)], "more": False})
    assert "s" * 130 in operator.on_terminal("inbox", columns=160).out
    assert "s" * 130 not in operator.on_terminal("inbox", columns=80).out


def test_colour_is_for_terminals_that_want_it(operator: Operator, daemon: FakeDaemon) -> None:
    """FLASH stands out; a pipe, NO_COLOR and a dumb terminal get plain text."""
    daemon.answers("inbox", {"messages": [message()], "more": False})
    assert "\x1b[1;37;41mFLASH" in operator.on_terminal("inbox").out
    assert "\x1b[1;37;41mFLASH" in operator.on_terminal("inbox", NO_COLOR="").out
    assert "\x1b" not in operator.on_terminal("inbox", NO_COLOR="1").out
    assert "\x1b" not in operator.on_terminal("inbox", TERM="dumb").out
    assert "\x1b" not in operator.run("inbox").out


def test_show_tells_everything(operator: Operator, daemon: FakeDaemon) -> None:
    """Both times, who answered what, and a body that cannot pass for Hotline's own words."""
    answered = message(
        state="acknowledged",
        acknowledged_at="2026-11-23T16:00:00.000000Z",
        acknowledged_by="op1",
        decision="wilco",
        note="moving",
    )
    daemon.answers("show", {"messages": [answered, message(direction="out")]})
    done = operator.run("show", "m1", "--line", "bravo")
    assert daemon.params("show") == [{"id": "m1", "line": "bravo", "skip_damaged": True}]
    assert "231531ZNOV26  2026-11-23T15:31:00.000000Z" in done.out
    assert "wilco, by op1" in done.out
    assert "FLASH from bravo: acknowledged" in done.out
    assert "FLASH to bravo: delivered" in done.out
    assert "  | Twenty miles north.\n  | Not hostile.\n" in done.out
    assert len(operator.run("show", "m1", "--json").objects) == 2


def test_hostile_text_is_never_raw(operator: Operator, daemon: FakeDaemon) -> None:
    """show, ack, cancel, watch and JSON: no way out for an escape sequence."""
    daemon.answers("show", {"messages": [hostile_message()]})
    daemon.answers("ack", {"message": hostile_message()})
    daemon.answers("cancel", {"message": hostile_message(direction="out")})
    daemon.answers("retry", {"lines": [HOSTILE]})
    for verb in ("show x", "show x --json", "ack x", "ack x --json", "cancel x", "retry"):
        done = operator.run(*verb.split())
        assert done.code == 0
        assert not RAW.search(done.out), verb
    assert operator.run("show", "x", "--json").objects[0]["body"] == HOSTILE
    shown = operator.on_terminal("show", "x", columns=40).out
    assert not RAW.search(COLOUR.sub("", shown).replace("\r\n", "\n"))


def test_a_body_cannot_reach_the_left_edge(operator: Operator, daemon: FakeDaemon) -> None:
    """Padded to the terminal's width, a body's next words would stand where Hotline's do."""
    daemon.answers("show", {"messages": [message(body=" " * 76 + "hotline: all is well")]})
    shown = operator.on_terminal("show", "x").out
    assert not any(row.startswith("hotline") for row in shown.splitlines())


def test_ack_and_cancel(operator: Operator, daemon: FakeDaemon) -> None:
    """The decision that was typed is the one that is signed."""
    daemon.answers("ack", {"message": message(acknowledged_by="op1", decision="cannot")})
    daemon.answers("cancel", {"message": message(direction="out", state="cancelled")})
    done = operator.run("ack", "m1", "--decision", "cannot", "--note", "no fuel")
    assert daemon.params("ack") == [{"id": "m1", "decision": "cannot", "note": "no fuel"}]
    assert done.out.endswith("from bravo: cannot, by op1\n")
    operator.run("ack", "m1", "--line", "bravo")
    assert daemon.params("ack")[1] == {
        "id": "m1",
        "line": "bravo",
        "decision": "read",
        "note": "",
    }
    assert operator.run("ack", "m1", "--note", "n" * 1025).code == 2
    assert operator.run("cancel", "m1", "--json").objects[0]["state"] == "cancelled"


def test_status(operator: Operator, daemon: FakeDaemon) -> None:
    """Why a line is not up, when it is tried next, and who watches: the operator's whole picture."""
    down = line(
        name="north",
        state="down",
        reason="nothing heard",
        detail=HOSTILE,
        rtt_ms=None,
        clock_offset_ms=None,
        last_heard_s=None,
        attended=None,
        session_age_s=None,
        next_attempt_s=12.0,
        attempts=7,
    )
    late = line(name="late", last_heard_s=175.0, clock_offset_ms=-7.3e6, clock_differs=True)
    status = {"station": "alpha", "station_id": "c4c7", "lines": [line(), down, late]}
    daemon.answers("status", status)
    done = operator.run("status")
    assert "the clocks differ: times shown by the two stations do not compare" in done.out
    assert "line bravo: up since 231530ZNOV26" in done.out
    assert (
        "heard 400 ms ago, round trip 42 ms, their clock 3 ms behind, operator on watch" in done.out
    )
    assert "queued 0, in flight 1, unacknowledged 2, unread here 3" in done.out
    assert "session with 192.0.2.1:1963, 1m 01s old" in done.out
    assert "nothing heard" in done.out
    assert "next attempt in 12 s, 7 so far; now: hotline retry north" in done.out
    assert not RAW.search(done.out)
    assert max(map(width, done.out.splitlines())) <= 80
    assert operator.run("status", "--json").objects == [json.loads(json.dumps(status))]


def test_status_tells_of_the_peers_new_keys(operator: Operator, daemon: FakeDaemon) -> None:
    """Two operators may want to compare the new id; of an old one nothing need be said."""
    pinned, now = "ab" * 32, "cd" * 32
    for ids, shown in (
        ({}, False),
        ({"peer_id": pinned, "peer_pinned_id": pinned}, False),
        ({"peer_id": now, "peer_pinned_id": pinned}, True),
    ):
        status = {"station": "alpha", "notices": [], "lines": [line(**ids)]}
        daemon.on("status", lambda _, __, status=status: status)  # type: ignore[misc]
        told = operator.run("status").out
        assert ("the peer has changed its keys" in told) == shown
        assert (" ".join(["cdcdcdcd"] * 8) in told) == shown
        assert "abababab" not in told
        assert max(map(len, told.splitlines())) <= 80


def test_retry_says_what_comes_of_it(operator: Operator, daemon: FakeDaemon) -> None:
    """Who is told that a line is called does not look for another way to reach the peer."""
    outcomes = [
        {"line": "north", "outcome": "calling", "state": "down", "reason": "refused"},
        {"line": "east", "outcome": "no-address", "state": "down", "reason": "no-address"},
        {"line": "south", "outcome": "connected", "state": "up", "reason": "unattended"},
        {"line": "west", "outcome": "connected", "state": "degraded", "reason": "no-receipts"},
        {"line": "old", "outcome": "revoked", "state": "halted", "reason": "revoked"},
    ]
    daemon.answers("retry", {"lines": ["north"], "outcomes": outcomes})
    done = operator.run("retry")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "calling north now; see: hotline status",
        "east has no address to dial: the peer must call",
        "south is up already",
        "west has a session already, degraded (no-receipts); see: hotline status",
        "old is not called: its card is refused for good",
    ]
    daemon.answers("retry", {"lines": ["bravo"]})  # of a daemon of before
    assert operator.run("retry").out == "calling bravo now; see: hotline status\n"


@pytest.mark.parametrize("outcomes", [[], [{"line": "old", "outcome": "revoked"}]])
def test_5_when_no_line_can_be_called(
    operator: Operator, daemon: FakeDaemon, outcomes: list[Params]
) -> None:
    """Nothing at all, with exit code 0, is what a script takes for done."""
    daemon.answers("retry", {"lines": [], "outcomes": outcomes})
    done = operator.run("retry")
    assert (done.code, len(done.out.splitlines())) == (5, len(outcomes))
    assert done.err == (
        "hotline: there is no line that can be called\nhint: pin a peer: hotline peer add CARD\n"
    )


def events(_params: Params, connection: Connection) -> Params:
    """Answer a watch, tell one event of each kind, and go away."""
    at = "2026-11-23T15:30:00.000000Z"
    connection.put({"id": 1, "result": {}})
    for event in (
        {"event": "message", "message": message(body=HOSTILE)},
        {"event": "state", "state": "degraded", "reason": "peer stalled", "detail": ""},
        {
            "event": "delivered",
            "number": 70,
            "messages": 7,
            "waiting": 9000,
            "delivered_per_s": 300.0,
            "drain_s": 30.0,
        },
        {"event": "acknowledged", "id": "m2", "acknowledged_by": "op2", "decision": "wilco"},
    ):
        connection.notify("event", {"at": at, "line": "bravo", **event})
    raise Gone


def test_watch(operator: Operator, daemon: FakeDaemon) -> None:
    """Everything that happens is told; and when the daemon goes, so does the watch, with 3."""
    daemon.on("watch", events)
    done = operator.run("watch", "bravo")
    assert daemon.params("watch") == [{"line": "bravo"}]
    assert done.code == 3
    assert not RAW.search(done.out)
    assert "231530ZNOV26  bravo  FLASH  01jdq3w8k7x9v2m4n6p8r0s2t4" in done.out
    assert "231530ZNOV26  bravo  line is degraded: peer stalled" in done.out
    assert "231530ZNOV26  bravo  delivered 7, up to entry 70" in done.out
    assert "231530ZNOV26  bravo  acknowledged m2 by op2: wilco" in done.out
    done = operator.run("watch", "--json")
    assert [found["event"] for found in done.objects] == [
        "message",
        "state",
        "delivered",
        "acknowledged",
    ]


def test_who_was_let_go_is_told_what_it_may_have_been(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """After Ctrl-S the daemon is well, and has shown nothing of what came: the inbox has it."""
    daemon.on("watch", events)
    done = operator.run("watch")
    assert done.code == 3
    assert "went away, or let this watch go because it did not keep up" in done.err
    assert "hint: look at the inbox, and watch again" in done.err


def missed(*, flash: bool) -> Any:
    """Give a handler of a watch that tells of messages that cannot be shown, and goes away."""

    def tell(_params: Params, connection: Connection) -> Params:
        event = {
            "event": "missed",
            "at": "2026-11-23T15:30:00.000000Z",
            "line": "bravo",
            "ids": ["m1", "m2\x1b[2J"],
            "flash": flash,
            "why": "no descriptor is left",
            "hint": "try again",
        }
        connection.put({"id": 1, "result": {}})
        connection.notify("event", event)
        raise Gone

    return tell


def test_a_watch_says_what_it_cannot_show(operator: Operator, daemon: FakeDaemon) -> None:
    """A message that is only missing from the screen is an order that nobody has read."""
    daemon.on("watch", missed(flash=True))
    done = operator.run("watch")
    told = "231530ZNOV26  bravo  a FLASH came and cannot be shown: m1 m2"
    assert told in done.err
    assert "no descriptor is left" in done.err
    assert "hint: look again: hotline show m1" in done.err
    assert not RAW.search(done.err)
    assert done.out == ""
    [found] = operator.run("watch", "--json").objects
    assert (found["event"], found["ids"][0], found["flash"]) == ("missed", "m1", True)
    assert "\a" in operator.on_terminal("watch").out
    daemon.on("watch", missed(flash=False))
    assert "a message came and cannot be shown" in operator.run("watch").err


def test_a_drain_is_shown_in_place(operator: Operator, daemon: FakeDaemon) -> None:
    """A line for each receipt of a backlog would push every message off the screen."""
    daemon.on("watch", events)
    seen = operator.on_terminal("watch")
    assert "bravo: 9000 to deliver, 300 a second, 30 s to go" in seen.out + seen.err
    assert "delivered 7" not in seen.out
    daemon.answers(
        "status",
        {
            "station": "alpha",
            "station_id": "c4c7",
            "lines": [line(queued=9000, delivered_per_s=300.0, drain_s=30.0)],
        },
    )
    assert "draining, 300 a second, 30 s to go" in operator.run("status").out
    slow = {"lines": [line(queued=1, delivered_per_s=0.1, drain_s=10.0)]}
    daemon.answers("status", {"station": "alpha", "station_id": "c4c7", **slow})
    assert "draining, 6 a minute, 10 s to go" in operator.run("status").out


def test_a_flash_rings(operator: Operator, daemon: FakeDaemon) -> None:
    """The operator may look away from the screen; a bell in a pipe would only be dirt."""
    daemon.on("watch", events)
    assert operator.on_terminal("watch").out.count("\a") == 1
    assert "\a" not in operator.run("watch").out


def test_columns_are_counted_as_a_terminal_does() -> None:
    """A wide character counted once breaks every table that it stands in."""
    assert (width("abc"), width("日本"), width("e\u0301")) == (3, 4, 1)
    assert fit("日本語", 5) == "日本…"
    assert pad("日", 4) == "日  "
    assert wrap("日本語x", 4) == ["日本", "語x"]
    assert wrap("", 4) == [""]
    assert fill("to be or 日本語日本語 not", 7) == ["to be", "or", "日本語", "日本語", "not"]
