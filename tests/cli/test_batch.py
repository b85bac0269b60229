"""``hotline send --batch``: thousands of messages, and the exact truth about each line."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli.fake_daemon import Connection, FakeDaemon, Gone, Params, Refusal, Silent, accept_all
from cli.station_operator import Operator
from hypothesis import given
from hypothesis import strategies as st

from hotline.cli.batch import _fields
from hotline.cli.compose import encoded
from hotline.cli.exits import UsageError


def batch(folder: Path, *lines: Any) -> str:
    """Write NDJSON and give its name; bytes are written as they are."""
    encoded = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in lines]
    (folder / "batch.ndjson").write_bytes(b"\n".join(encoded) + b"\n")
    return "batch.ndjson"


def sent(daemon: FakeDaemon) -> list[Params]:
    """Give every message that the daemon was asked to take."""
    return [message for params in daemon.params("send") for message in params["messages"]]


def test_a_large_batch_goes_in_few_requests(operator: Operator, daemon: FakeDaemon) -> None:
    """One request a message would need a commit each: a hundred times slower."""
    daemon.on("send", accept_all)
    name = batch(operator.folder, *({"body": f"text {n}"} for n in range(5000)))
    done = operator.run("send", "bravo", "--batch", name)
    assert (done.code, done.err) == (0, "")
    assert done.out == "5000 accepted for bravo\n"
    assert [len(params["messages"]) for params in daemon.params("send")] == [1024] * 4 + [904]
    assert [message["body"] for message in sent(daemon)] == [f"text {n}" for n in range(5000)]
    ids = [message["id"] for message in sent(daemon)]
    assert ids == sorted(set(ids))


def test_requests_stay_below_the_bound(operator: Operator, daemon: FakeDaemon) -> None:
    """A request over the daemon's bound would be refused with all that is in it."""
    daemon.on("send", accept_all)
    name = batch(operator.folder, *({"body": "x" * 450_000} for _ in range(10)))
    assert operator.run("send", "bravo", "--batch", name).code == 0
    assert [len(params["messages"]) for params in daemon.params("send")] == [3, 3, 3, 1]


def test_fields_and_defaults(operator: Operator, daemon: FakeDaemon) -> None:
    """Options of the command stand for what a line of the batch does not say."""
    daemon.on("send", accept_all)
    full = {"id": "a", "precedence": "flash", "subject": "S", "body": "B"}
    full |= {"expires": "2096-01-01T00:00:00Z", "ack_by": "010000ZJAN96"}
    name = batch(operator.folder, full, b"", {"id": "b", "body": "C"})
    done = operator.run("send", "bravo", "--batch", name, "--precedence", "P", "--json")
    moment = "2096-01-01T00:00:00.000000Z"
    assert sent(daemon) == [
        {
            "id": "a",
            "precedence": "FLASH",
            "subject": "S",
            "body": "B",
            "expires_at": moment,
            "ack_by": moment,
        },
        {"id": "b", "precedence": "PRIORITY", "subject": "", "body": "C"},
    ]
    assert done.objects == [
        {"input_line": n, "id": i, "line": "bravo", "state": "queued", "repeated": False}
        for n, i in ((1, "a"), (3, "b"))
    ]


def test_a_bad_line_costs_nobody_else(operator: Operator, daemon: FakeDaemon) -> None:
    """Told by its number, so that the file can be mended; the others are queued."""
    daemon.on("send", accept_all)
    bad = [
        b"{",
        b"[]",
        b"\xff",
        {"body": 7},
        {"body": "x", "to": "y"},
        {"body": ""},
        {"body": "x", "precedence": "urgent"},
        {"body": "x", "expires": "2020-01-01T00:00:00Z"},
        {"body": "x" * (2**20 + 1)},
        b'{"body": "\\ud800"}',
        b'{"body": "' + b"x" * (9 * 2**20) + b'"}',
    ]
    name = batch(operator.folder, {"body": "first"}, *bad, {"body": "last"})
    done = operator.run("send", "bravo", "--batch", name)
    assert done.code == 2
    assert [message["body"] for message in sent(daemon)] == ["first", "last"]
    for number in range(2, 13):
        assert f"batch.ndjson line {number}: " in done.err
    assert done.out.splitlines() == [
        "2 accepted for bravo",
        "accepted: lines 1, 13 of batch.ndjson",
        "refused: lines none of batch.ndjson",
        "no message: lines 2-12 of batch.ndjson",
        "not known: lines none of batch.ndjson",
    ]


def test_a_refused_message_costs_nobody_else(operator: Operator, daemon: FakeDaemon) -> None:
    """An id that clashes must not keep the messages around it back."""

    def pick(params: Params, _connection: Connection) -> Params:
        error = {"code": "id-in-use", "message": "b is in use", "hint": ""}
        return {
            "results": [
                {"id": m["id"], "error": error}
                if m["id"] == "b"
                else {"id": m["id"], "state": "queued", "repeated": m["id"] == "c"}
                for m in params["messages"]
            ]
        }

    daemon.on("send", pick)
    name = batch(operator.folder, *({"id": i, "body": "x"} for i in "abc"))
    done = operator.run("send", "bravo", "--batch", name, "--json")
    assert done.code == 5
    assert [sorted(o) for o in done.objects] == [
        ["id", "input_line", "line", "repeated", "state"],
        ["error", "id", "input_line", "line"],
        ["id", "input_line", "line", "repeated", "state"],
    ]
    assert "batch.ndjson line 2: b is in use" in done.err
    assert "accepted: lines 1, 3" in done.err
    assert "1 of them sent before" in done.err


@pytest.mark.parametrize("how", [[], ["--wait", "delivered"]])
def test_a_repeated_message_that_ended_is_told_by_its_line(
    operator: Operator, daemon: FakeDaemon, how: list[str]
) -> None:
    """It was never sent and never will be: counted as sent before, it would not be sent anew."""
    ended = {"b": "cancelled", "c": "expired"}

    def pick(params: Params, _connection: Connection) -> Params:
        states = ((m["id"], ended.get(m["id"], "queued")) for m in params["messages"])
        return {"results": [{"id": i, "state": s, "repeated": i != "a"} for i, s in states]}

    daemon.on("send", pick)
    daemon.on(
        "wait",
        lambda params, _: {"messages": [{"id": i, "state": "delivered"} for i in params["ids"]]},
    )
    name = batch(operator.folder, *({"id": i, "body": "x"} for i in "abcd"))
    done = operator.run("send", "bravo", "--batch", name, *how)
    assert done.code == 5
    assert done.out.splitlines() == [
        "2 accepted for bravo, 1 of them sent before",
        "accepted: lines 1, 4 of batch.ndjson",
        "refused: lines none of batch.ndjson",
        "no message: lines none of batch.ndjson",
        "not known: lines none of batch.ndjson",
        "expired or cancelled before: lines 2-3 of batch.ndjson",
    ]
    for number, identifier in ((2, "b"), (3, "c")):
        said = f"batch.ndjson line {number}: {identifier} is {ended[identifier]}: it was not sent"
        assert f"hotline: {said}\nhint: send it again under a new id\n" in done.err
    done = operator.run("send", "bravo", "--batch", name, "--json", *how)
    assert done.code == 5
    assert {o["id"]: (o["state"], o["repeated"]) for o in done.objects} == {
        "a": ("delivered" if how else "queued", False),
        "b": ("cancelled", True),
        "c": ("expired", True),
        "d": ("delivered" if how else "queued", True),
    }


def test_what_was_accepted_before_the_daemon_died_is_told(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """Sending the whole file again would send the first part twice."""

    def once(params: Params, connection: Connection) -> Params:
        if len(daemon.params("send")) > 1:
            raise Gone
        return accept_all(params, connection)

    daemon.on("send", once)
    name = batch(operator.folder, *({"body": "x"} for _ in range(2000)))
    done = operator.run("send", "bravo", "--batch", name)
    assert done.code == 3
    assert "accepted: lines 1-1024 of batch.ndjson" in done.out
    assert "not known: lines 1025-2000 of batch.ndjson" in done.out
    assert "went away" in done.err


def test_a_request_refused_whole_ends_the_batch(operator: Operator, daemon: FakeDaemon) -> None:
    """A line that does not exist refuses every message; ten thousand complaints help nobody."""

    def refuse(_params: Params, _connection: Connection) -> None:
        raise Refusal("unknown-line", "there is no line bravo")

    daemon.on("send", refuse)
    name = batch(operator.folder, *({"body": "x"} for _ in range(20_000)))
    done = operator.run("send", "bravo", "--batch", name)
    assert done.code == 5
    assert len(daemon.params("send")) < 10
    assert len(done.err.splitlines()) < 60
    assert "0 accepted for bravo" in done.out
    assert "refused: lines 1-" in done.out


def test_what_a_failed_store_has_kept_is_not_known(operator: Operator, daemon: FakeDaemon) -> None:
    """Called refused, it would be written anew under another id, and might arrive twice."""

    def once(params: Params, connection: Connection) -> Params:
        if len(daemon.params("send")) > 1:
            raise Refusal("store-failed", "the store failed", "say it again")
        return accept_all(params, connection)

    daemon.on("send", once)
    name = batch(operator.folder, *({"body": "x"} for _ in range(2000)))
    done = operator.run("send", "bravo", "--batch", name)
    assert done.code == 5
    assert "accepted: lines 1-1024 of batch.ndjson" in done.out
    assert "refused: lines none" in done.out
    assert "not known: lines 1025-2000 of batch.ndjson" in done.out
    assert "the store failed" in done.err
    assert "say it again" in done.err


def test_standard_input_and_waiting(operator: Operator, daemon: FakeDaemon) -> None:
    """Each message is told once, with the state that it has reached; one waits 1024 at a time."""
    daemon.on("send", accept_all)

    def reach(params: Params, connection: Connection) -> Params:
        connection.notify("progress", {"done": 1, "total": len(params["ids"])})
        return {"messages": [{"id": i, "state": "delivered"} for i in params["ids"]]}

    daemon.on("wait", reach)
    data = b'{"body": "x"}\n' * 1500
    done = operator.run(
        "send", "bravo", "--batch", "-", "--wait", "delivered", "--json", stdin=data
    )
    assert done.code == 0
    assert [o["input_line"] for o in done.objects] == list(range(1, 1501))
    assert {o["state"] for o in done.objects} == {"delivered"}
    assert [len(params["ids"]) for params in daemon.params("wait")] == [1024, 476]


@pytest.mark.parametrize("state", ["expired", "cancelled"])
def test_5_when_what_was_waited_for_will_never_be(
    operator: Operator, daemon: FakeDaemon, state: str
) -> None:
    """A script that looks at the code alone would take orders for delivered that were never sent."""
    daemon.on("send", accept_all)

    def reach(params: Params, _connection: Connection) -> Params:
        states = ["delivered", state, "delivered"]
        return {
            "messages": [{"id": i, "state": s} for i, s in zip(params["ids"], states, strict=True)]
        }

    daemon.on("wait", reach)
    name = batch(operator.folder, *({"id": i, "body": "x"} for i in "abc"))
    done = operator.run("send", "bravo", "--batch", name, "--wait", "delivered")
    assert done.code == 5
    assert "1 expired or cancelled" in done.out
    done = operator.run("send", "bravo", "--batch", name, "--wait", "delivered", "--json")
    assert (done.code, [one["state"] for one in done.objects]) == (
        5,
        ["delivered", state, "delivered"],
    )
    assert "1 expired or cancelled" in done.err


@pytest.mark.parametrize("method", ["send", "wait"])
def test_an_answer_about_other_messages_is_none(
    operator: Operator, daemon: FakeDaemon, method: str
) -> None:
    """What was said of others would be told of these: queued that is not, delivered that is not."""
    daemon.on("send", accept_all)

    def others(params: Params, connection: Connection) -> Params:
        if method == "send":
            params = {"messages": [{"id": f"other-{m['id']}"} for m in params["messages"]]}
            return accept_all(params, connection)
        return {"messages": [{"id": f"other-{i}", "state": "delivered"} for i in params["ids"]]}

    daemon.on(method, others)
    name = batch(operator.folder, {"id": "a", "body": "x"})
    done = operator.run("send", "bravo", "--batch", name, "--wait", "delivered", "--json")
    assert done.code == 3
    assert f"does not understand: {method}: " in done.err
    assert [one["state"] for one in done.objects] == ([None] if method == "send" else ["queued"])


def test_a_message_on_two_lines_is_told_for_both(operator: Operator, daemon: FakeDaemon) -> None:
    """A line without an outcome looks like one that was never sent, and would be sent again."""
    seen: set[str] = set()

    def once(params: Params, _connection: Connection) -> Params:
        results = []
        for asked in params["messages"]:
            repeated = asked["id"] in seen
            seen.add(asked["id"])
            results.append({"id": asked["id"], "state": "queued", "repeated": repeated})
        return {"results": results}

    daemon.on("send", once)
    daemon.on(
        "wait",
        lambda params, _: {"messages": [{"id": i, "state": "delivered"} for i in params["ids"]]},
    )
    name = batch(operator.folder, *({"id": i, "body": "x"} for i in "aba"))
    done = operator.run("send", "bravo", "--batch", name, "--wait", "delivered", "--json")
    assert done.code == 0
    assert [(o["input_line"], o["id"], o["state"], o["repeated"]) for o in done.objects] == [
        (1, "a", "delivered", False),
        (2, "b", "delivered", False),
        (3, "a", "delivered", True),
    ]
    assert daemon.params("wait")[0]["ids"] == ["a", "b"]


def test_progress_on_a_terminal(operator: Operator, daemon: FakeDaemon) -> None:
    """Count, rate and the time to go: an hour's batch must show that it moves."""
    daemon.on("send", accept_all)
    name = batch(operator.folder, *({"body": "x"} for _ in range(3000)))
    done = operator.on_terminal("send", "bravo", "--batch", name)
    assert done.code == 0
    assert "a second" in done.out
    assert "to go" in done.out
    assert done.out.endswith("3000 accepted for bravo\r\n")


def test_who_waits_for_a_line_that_is_down_sees_it(operator: Operator, daemon: FakeDaemon) -> None:
    """It said "100 %, 0 ms to go" for as long as nothing was delivered."""

    def never(_params: Params, _connection: Connection) -> Params:
        raise Silent

    daemon.on("send", accept_all)
    daemon.on("wait", never)
    name = batch(operator.folder, *({"body": "x"} for _ in range(3000)))
    command = ("send", "bravo", "--batch", name, "--wait", "delivered", "--timeout", "0.3")
    done = operator.on_terminal(*command)
    assert done.code == 4
    shown = [row for row in done.out.split("\r\x1b[K") if row]
    assert "queued" in shown[0]
    assert shown[1] == "delivered: 0 of 3000"


def test_answers_are_read_while_sending(operator: Operator, daemon: FakeDaemon) -> None:
    """A daemon that answers at length before it reads on must not meet a client that only sends."""

    def at_length(params: Params, connection: Connection) -> Params:
        connection.notify("progress", {"filler": "x" * 4_000_000})
        return accept_all(params, connection)

    daemon.on("send", at_length)
    name = batch(operator.folder, *({"body": "x" * 2000} for _ in range(6000)))
    assert operator.run("send", "bravo", "--batch", name).code == 0
    assert len(sent(daemon)) == 6000


def test_a_brief_answer_tells_of_the_rest_by_place(operator: Operator, daemon: FakeDaemon) -> None:
    """A line that stands twice has one id and two outcomes: each is told of its own line."""
    error = {"code": "id-in-use", "message": "b is in use", "hint": ""}
    daemon.answers(
        "send",
        {
            "queued": 3,
            "results": [
                {"at": 2, "id": "b", "error": error},
                {"at": 4, "id": "c", "state": "sealed", "repeated": True},
            ],
        },
    )
    name = batch(operator.folder, *({"id": i, "body": "x"} for i in "abbcc"))
    done = operator.run("send", "bravo", "--batch", name)
    assert [params["brief"] for params in daemon.params("send")] == [True]
    assert done.code == 5
    assert done.err.splitlines()[0] == "hotline: batch.ndjson line 3: b is in use"
    assert done.out.splitlines()[:3] == [
        "4 accepted for bravo, 1 of them sent before",
        "accepted: lines 1-2, 4-5 of batch.ndjson",
        "refused: lines 3 of batch.ndjson",
    ]
    done = operator.run("send", "bravo", "--batch", name, "--json")
    assert [(o.get("state"), o.get("repeated")) for o in done.objects] == [
        ("queued", False),
        ("queued", False),
        (None, None),
        ("queued", False),
        ("sealed", True),
    ]


@pytest.mark.parametrize(
    ("queued", "results"),
    [
        (2, []),
        (4, []),
        (-1, [("a", 0), ("b", 1), ("c", 2), ("a", 3)]),
        (2, [("a", 3)]),
        (2, [("a", -1)]),
        (2, [("a", 1)]),
        (2, [("b", 1), ("b", 1)]),
        (None, [("b", 1)]),
    ],
    ids=[
        "one-is-not-told-of",
        "one-too-many",
        "less-than-none",
        "behind-the-last",
        "before-the-first",
        "under-another-id",
        "twice-of-one-place",
        "no-count",
    ],
)
def test_a_brief_answer_that_does_not_add_up_is_none(
    operator: Operator, daemon: FakeDaemon, queued: int | None, results: list[tuple[str, int]]
) -> None:
    """What was not said to be queued is not known to be."""
    told = [{"at": at, "id": i, "state": "queued", "repeated": True} for i, at in results]
    daemon.answers("send", {"queued": queued, "results": told})
    name = batch(operator.folder, *({"id": i, "body": "x"} for i in "abc"))
    done = operator.run("send", "bravo", "--batch", name)
    assert done.code == 3
    assert "0 accepted for bravo" in done.out
    assert "not known: lines 1-3 of batch.ndjson" in done.out


@given(st.text(), st.text(), st.sampled_from(["", " \t\r", "\ufeff", "\u00a0", "\x0b", "x"]))
def test_a_line_is_read_as_the_library_reads_json(body: str, subject: str, around: str) -> None:
    """It is read by a part of the library's reader, and spelled by another, for the sake of speed."""
    fields = {"body": body, "subject": subject}
    for ensure_ascii in (True, False):
        line = f"{around}{json.dumps(fields, ensure_ascii=ensure_ascii)}{around}"
        try:
            expected = json.loads(line)
        except ValueError:
            with pytest.raises(UsageError, match="not JSON"):
                _fields(line.encode())
        else:
            assert _fields(line.encode()) == expected
    made = {"id": "m", "precedence": "FLASH", **fields, "test": True}
    assert json.loads(encoded(made)) == made


def test_an_older_daemon_is_said_to_be_one(operator: Operator, daemon: FakeDaemon) -> None:
    """After an upgrade that was not followed by a restart, the messages are not what is wrong."""

    def refuse(_params: Params, _connection: Connection) -> None:
        raise Refusal("bad-request", "brief is not a known parameter")

    daemon.on("send", refuse)
    done = operator.run("send", "bravo", "--batch", batch(operator.folder, {"body": "x"}))
    assert done.code == 3
    assert "has to be started again" in done.err
    assert "not known: lines 1 of batch.ndjson" in done.out


def test_a_place_that_is_null_is_none(operator: Operator, daemon: FakeDaemon) -> None:
    """It counts as not given."""
    told = {"at": None, "id": "a", "state": "queued", "repeated": False}
    daemon.answers("send", {"queued": None, "results": [told]})
    name = batch(operator.folder, {"id": "a", "body": "x"})
    assert operator.run("send", "bravo", "--batch", name).out == "1 accepted for bravo\n"


def test_a_body_of_deletions_is_as_long_as_any_other() -> None:
    """A spelling of six bytes for each would make no request of it."""
    made = {"id": "m", "precedence": "FLASH", "subject": "", "body": "\x7f" * 2**20}
    assert json.loads(encoded(made)) == made
