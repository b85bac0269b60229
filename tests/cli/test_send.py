"""``hotline send``: what is asked of the daemon, and what the operator is told."""

import re

import pytest
from cli.fake_daemon import Connection, FakeDaemon, Gone, Params, Silent, accept_all, message
from cli.station_operator import Operator

ID = re.compile(r"[0-9abcdefghjkmnpqrstvwxyz]{26}")


def test_a_message_is_queued(operator: Operator, daemon: FakeDaemon) -> None:
    """The plain case: the words, ROUTINE, an id that can be spoken."""
    daemon.on("send", accept_all)
    done = operator.run("send", "bravo", "Größe 日本")
    ((asked,),) = [params["messages"] for params in daemon.params("send")]
    assert daemon.params("send")[0]["line"] == "bravo"
    assert ID.fullmatch(asked["id"])
    assert asked == {
        "id": asked["id"],
        "precedence": "ROUTINE",
        "subject": "",
        "body": "Größe 日本",
    }
    assert (done.code, done.out) == (0, f"queued {asked['id']} for bravo\n")


def test_options_reach_the_daemon(operator: Operator, daemon: FakeDaemon) -> None:
    """A precedence or deadline lost on the way is a FLASH that waits, or an order out of date."""
    daemon.on("send", accept_all)
    done = operator.run(
        *("send", "bravo", "text", "--precedence", "fl", "--subject", "S", "--id", "order-7"),
        *("--expires", "2096-11-23T15:30:00Z", "--ack-by", "2h", "--test", "--json"),
    )
    ((asked,),) = [params["messages"] for params in daemon.params("send")]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", asked.pop("ack_by"))
    assert asked == {
        "id": "order-7",
        "precedence": "FLASH",
        "subject": "S",
        "body": "text",
        "test": True,
        "expires_at": "2096-11-23T15:30:00.000000Z",
    }
    assert done.objects == [
        {"id": "order-7", "line": "bravo", "state": "queued", "repeated": False}
    ]


@pytest.mark.parametrize(
    "text", [["hold fire"], ["-"], ["--", "-5 degrees"]], ids=lambda one: one[-1]
)
def test_the_text_may_stand_behind_options(
    operator: Operator, daemon: FakeDaemon, text: list[str]
) -> None:
    """That is where it comes to mind last; argparse alone takes none there."""
    daemon.on("send", accept_all)
    done = operator.run("send", "bravo", "--id", "air-7", *text, stdin=b"from stdin")
    [asked] = daemon.params("send")[0]["messages"]
    assert (done.code, asked["id"]) == (0, "air-7")
    assert asked["body"] == ("from stdin" if text == ["-"] else text[-1])


@pytest.mark.parametrize("arguments", [["-"], []])
def test_standard_input_is_sent_as_it_is(
    operator: Operator, daemon: FakeDaemon, arguments: list[str]
) -> None:
    """A file's last newline belongs to the file."""
    daemon.on("send", accept_all)
    assert operator.run("send", "bravo", *arguments, stdin=b"one\ntwo\n").code == 0
    assert daemon.params("send")[0]["messages"][0]["body"] == "one\ntwo\n"


def test_on_a_terminal_the_text_is_asked_for(operator: Operator, daemon: FakeDaemon) -> None:
    """Without a word of prompting, an operator believes that the command hangs."""
    daemon.on("send", accept_all)
    done = operator.on_terminal("send", "bravo", typed=b"hello\n\x04")
    assert done.code == 0
    assert "Ctrl-D" in done.out
    assert daemon.params("send")[0]["messages"][0]["body"] == "hello"


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["-"], b"\xff\xfe", "not valid UTF-8"),
        ([b"caf\xe9"], b"", "not valid UTF-8"),
        (["x", "--subject", b"\xe9"], b"", "not valid UTF-8"),
        (["-"], b"x" * (2**20 + 1), "1 MiB"),
        (["x", "--subject", "é" * 129], b"", "256"),
        (["-"], b"\x01" * 2**20, "control characters"),
        ([""], b"", "nothing to send"),
        (["-"], b"", "nothing to send"),
    ],
)
def test_text_is_checked_before_the_daemon_is_asked(
    operator: Operator, daemon: FakeDaemon, arguments: list[str | bytes], stdin: bytes, said: str
) -> None:
    """What cannot be sent is told at once, even while the daemon is down."""
    done = operator.run("send", "bravo", *arguments, stdin=stdin)
    assert done.code == 2
    assert said in done.err
    assert daemon.requests == []


def test_a_mebibyte_is_sent(operator: Operator, daemon: FakeDaemon) -> None:
    """The largest message that is promised must also get through the socket."""
    daemon.on("send", accept_all)
    assert operator.run("send", "bravo", "-", stdin=b'"' * 2**20).code == 0
    assert daemon.params("send")[0]["messages"][0]["body"] == '"' * 2**20


def test_a_repeated_id_is_the_same_message(operator: Operator, daemon: FakeDaemon) -> None:
    """Told as queued anew, a message would seem to go twice."""
    daemon.answers("send", {"results": [{"id": "x", "state": "delivered", "repeated": True}]})
    done = operator.run("send", "bravo", "text", "--id", "x")
    assert (done.code, done.out) == (0, "delivered x for bravo (it was sent before)\n")


@pytest.mark.parametrize("state", ["expired", "cancelled"])
@pytest.mark.parametrize("how", [[], ["--wait", "delivered"]])
def test_a_repeated_id_that_ended_is_refused(
    operator: Operator, daemon: FakeDaemon, state: str, how: list[str]
) -> None:
    """Told that it was sent, an operator relies on an order that never left and never will."""
    daemon.answers("send", {"results": [{"id": "x", "state": state, "repeated": True}]})
    done = operator.run("send", "bravo", "text", "--id", "x", *how)
    assert (done.code, done.out) == (5, f"{state} x for bravo (it was queued before)\n")
    assert done.err == (
        f"hotline: x is {state}: it was not sent\nhint: send it again under a new id\n"
    )
    done = operator.run("send", "bravo", "text", "--id", "x", "--json", *how)
    assert (done.code, done.objects) == (
        5,
        [{"id": "x", "line": "bravo", "state": state, "repeated": True}],
    )
    assert f"x is {state}: it was not sent" in done.err
    assert daemon.params("wait") == []


@pytest.mark.parametrize("option", ["--expires", "--ack-by"])
def test_a_repeated_id_keeps_its_times(operator: Operator, daemon: FakeDaemon, option: str) -> None:
    """An operator who shortens a deadline by sending again must read that it stays what it was."""
    daemon.answers("send", {"results": [{"id": "x", "state": "queued", "repeated": True}]})
    done = operator.run("send", "bravo", "text", "--id", "x", option, "10m")
    said = f"queued x for bravo (it was queued before: {option} changes nothing)\n"
    assert (done.code, done.out) == (0, said)


def test_one_refused_message(operator: Operator, daemon: FakeDaemon) -> None:
    """A refusal of the message itself comes inside the results, and counts as one."""
    error = {"code": "queue-full", "message": "the queue is full", "hint": "wait"}
    daemon.answers("send", {"results": [{"id": "x", "error": error}]})
    done = operator.run("send", "bravo", "text", "--id", "x")
    assert (done.code, done.out) == (5, "")
    assert done.err == "hotline: the queue is full\nhint: wait\n"


def test_when_the_daemon_dies_the_id_makes_it_safe_to_repeat(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """Queued or not is unknown then: sent again under a new id it could go twice."""

    def die(_params: Params, _connection: Connection) -> None:
        raise Gone

    daemon.on("send", die)
    done = operator.run("send", "bravo", "text", "--id", "order-7")
    assert done.code == 3
    assert "not known" in done.err
    assert "--id order-7" in done.err


def test_waiting_until_delivered(operator: Operator, daemon: FakeDaemon) -> None:
    """``--wait delivered`` gives 0 only when the peer's disk has it."""
    daemon.on("send", accept_all)
    daemon.answers("wait", {"messages": [{"id": "x", "state": "delivered"}]})
    done = operator.run("send", "bravo", "text", "--id", "x", "--wait", "delivered")
    assert daemon.params("wait") == [{"line": "bravo", "ids": ["x"], "state": "delivered"}]
    assert (done.code, done.err) == (0, "")
    assert done.out == "queued x for bravo\ndelivered x for bravo\n"
    done = operator.run("send", "bravo", "text", "--id", "x", "--wait", "delivered", "--json")
    assert done.objects == [{"id": "x", "line": "bravo", "state": "delivered", "repeated": False}]


def never(_params: Params, _connection: Connection) -> None:
    """Leave a request unanswered."""
    raise Silent


def test_4_when_the_wait_is_over(operator: Operator, daemon: FakeDaemon) -> None:
    """Timed out is not refused: the message stays queued and will still go."""
    daemon.on("send", accept_all)
    daemon.on("wait", never)
    daemon.answers("show", {"messages": [message(id="x", direction="out", state="sent")]})
    done = operator.run(
        "send", "bravo", "text", "--id", "x", "--wait", "delivered", "--timeout", "0.2"
    )
    assert done.code == 4
    assert "x is still sent" in done.err
    assert "it will still be delivered" in done.err
    assert done.out == "queued x for bravo\n"


@pytest.mark.parametrize("state", ["expired", "cancelled"])
def test_a_message_that_ended_otherwise_was_not_delivered(
    operator: Operator, daemon: FakeDaemon, state: str
) -> None:
    """Exit 0 here would tell a script that the peer has it."""
    daemon.on("send", accept_all)
    daemon.answers("wait", {"messages": [{"id": "x", "state": state}]})
    done = operator.run("send", "bravo", "text", "--id", "x", "--wait", "delivered")
    assert done.code == 5
    assert f"x is {state}" in done.err


def test_progress_is_for_terminals_only(operator: Operator, daemon: FakeDaemon) -> None:
    """A redrawn line in a log file is noise; no line on a terminal looks like a hang."""
    daemon.on("send", accept_all)
    daemon.on("wait", never)
    states = iter(["queued", "sent", "sent", "delivered"])

    def show(_params: Params, _connection: Connection) -> Params:
        return {"messages": [message(id="x", direction="out", state=next(states, "delivered"))]}

    daemon.on("show", show)
    command = ("send", "bravo", "text", "--id", "x", "--wait", "acknowledged", "--timeout", "2.2s")
    done = operator.on_terminal(*command)
    assert done.code == 4
    assert "x: queued -> sent -> delivered ..." in done.out
    assert "acknowledged it yet" in done.out
    piped = operator.run(*command[:-1], "0.1")
    assert "->" not in piped.err + piped.out
    assert "\r" not in piped.err + piped.out
