"""A disk that is full under standard output: what was done is told all the same, on stderr."""

from __future__ import annotations

import pytest
from cli.fake_daemon import Connection, FakeDaemon, Gone, Params, accept_all, message
from cli.station_operator import Done, Operator

FULL = ("sh", "-c", 'exec "$@" >/dev/full', "sh")
BOTH_FULL = ("sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh")
WHY = "could not be written: no space left on device"


def to_a_full_disk(operator: Operator, *arguments: str, stdin: bytes = b"") -> Done:
    """Run a verb whose standard output cannot be written, which shows when a buffer is flushed."""
    return operator.run(*arguments, stdin=stdin, through=FULL, PYTHONUNBUFFERED="")


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_a_message_is_queued_though_nobody_could_read_it(
    operator: Operator, daemon: FakeDaemon, how: list[str]
) -> None:
    """Without its id an operator sends the order again, and it arrives twice."""
    daemon.on("send", accept_all)
    for unbuffered in ("", "1"):
        done = operator.run("send", "bravo", "x", *how, through=FULL, PYTHONUNBUFFERED=unbuffered)
        identifier = daemon.params("send")[-1]["messages"][0]["id"]
        assert done.code == 1
        assert done.err == (
            f"hotline: message {identifier} is queued, but that {WHY}\n"
            f"hint: see: hotline show {identifier}\n"
        )


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_how_far_a_message_has_come_is_told(
    operator: Operator, daemon: FakeDaemon, how: list[str]
) -> None:
    """What was sent before, or waited for, is told with its state."""
    daemon.answers("send", {"results": [{"id": "x", "state": "delivered", "repeated": True}]})
    daemon.answers("wait", {"messages": [{"id": "x", "state": "acknowledged"}]})
    done = to_a_full_disk(operator, "send", "bravo", "text", "--id", "x", *how)
    assert (done.code, f"message x is delivered, but that {WHY}" in done.err) == (1, True)
    done = to_a_full_disk(
        operator, "send", "bravo", "text", "--id", "x", "--wait", "acknowledged", *how
    )
    state = "acknowledged" if how else "delivered"
    assert (done.code, f"message x is {state}, but that {WHY}" in done.err) == (1, True)
    daemon.answers("send", {"results": [{"id": "x", "state": None, "repeated": True}]})
    done = to_a_full_disk(operator, "send", "bravo", "text", "--id", "x", *how)
    assert (done.code, f"message x was sent before, but that {WHY}" in done.err) == (1, True)


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_an_answer_is_given_and_a_message_is_cancelled(
    operator: Operator, daemon: FakeDaemon, how: list[str]
) -> None:
    """Both are done by then; asked again, the second is refused."""
    daemon.answers("ack", {"message": message(id="x", decision="wilco", acknowledged_by="op")})
    daemon.answers("cancel", {"message": message(id="x", direction="out", state="cancelled")})
    for verb, said in (
        ("ack x --decision wilco", "message x from bravo is acknowledged (wilco)"),
        ("cancel x", "message x for bravo is cancelled"),
    ):
        done = to_a_full_disk(operator, *verb.split(), *how)
        assert (done.code, done.err) == (
            1,
            f"hotline: {said}, but that {WHY}\nhint: see: hotline show x\n",
        )


@pytest.mark.parametrize("how", [[], ["--json"], ["--json", "--wait", "delivered"]])
@pytest.mark.parametrize("count", [3, 5000])
def test_a_batch_is_sent_whole_and_summed_up(
    operator: Operator, daemon: FakeDaemon, how: list[str], count: int
) -> None:
    """A file that is sent again because nothing is known of it comes twice."""
    daemon.on("send", accept_all)
    daemon.on(
        "wait",
        lambda params, _: {"messages": [{"id": i, "state": "delivered"} for i in params["ids"]]},
    )
    stdin = b'{"body":"x"}\n' * count
    done = to_a_full_disk(operator, "send", "bravo", "--batch", "-", *how, stdin=stdin)
    assert sum(len(params["messages"]) for params in daemon.params("send")) == count
    assert done.code == 1
    assert done.err.splitlines()[:4] == [
        f"hotline: {count} accepted for bravo, but that {WHY}",
        "hint: see: hotline outbox bravo",
        f"{count} accepted for bravo",
        f"accepted: lines 1-{count} of standard input",
    ]


def test_a_batch_that_breaks_off_says_both(operator: Operator, daemon: FakeDaemon) -> None:
    """The daemon that went away keeps its exit code; what it had accepted by then is told."""

    def once(params: Params, connection: Connection) -> Params:
        if len(daemon.params("send")) > 1:
            raise Gone
        return accept_all(params, connection)

    daemon.on("send", once)
    stdin = b'{"body":"x"}\n' * 2000
    done = to_a_full_disk(operator, "send", "bravo", "--batch", "-", "--json", stdin=stdin)
    assert done.code == 3
    assert "accepted: lines 1-1024 of standard input" in done.err
    assert "not known: lines 1025-2000 of standard input" in done.err
    assert "went away" in done.err


@pytest.mark.parametrize("verb", ["status", "inbox --json", "card", "--help", "completion bash"])
def test_an_answer_that_cannot_be_written_is_told_as_such(
    operator: Operator, daemon: FakeDaemon, verb: str
) -> None:
    """The system has refused nothing that was asked of the station."""
    daemon.answers("status", {"station": "alpha", "station_id": "00", "lines": []})
    daemon.answers("inbox", {"messages": [message()] * 100, "more": False})
    done = to_a_full_disk(operator, *verb.split())
    first, hint = done.err.splitlines()
    assert (done.code, first) == (
        1,
        "hotline: the answer could not be written to standard output: no space left on device",
    )
    assert hint.startswith("hint: ")


def test_a_refusal_stays_one(operator: Operator, daemon: FakeDaemon) -> None:
    """Nothing was queued, and a full disk under the output must not say otherwise."""
    daemon.refuses("send", "queue-full", "the queue is full")
    for through in (FULL, BOTH_FULL):
        done = operator.run("send", "bravo", "x", through=through, PYTHONUNBUFFERED="")
        assert done.code == 5
    assert to_a_full_disk(operator, "send", "bravo", "x").err == (
        "hotline: the queue is full\nhint: try less\n"
    )


def test_the_exit_code_tells_where_nothing_can_be_written(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """A job at night writes both into one file; a complaint that cannot be told ends no batch."""
    daemon.on("send", accept_all)
    done = operator.run("send", "bravo", "x", through=BOTH_FULL, PYTHONUNBUFFERED="")
    assert (done.code, done.out, done.err) == (1, "", "")
    deaf = ("sh", "-c", 'exec "$@" 2>/dev/full', "sh")
    batch = b'{"body":"x"}\n{\n{"body":"y"}\n'
    done = operator.run("send", "bravo", "--batch", "-", "--json", stdin=batch, through=deaf)
    assert (done.code, [one["input_line"] for one in done.objects]) == (2, [2, 1, 3])


def test_what_was_answered_before_a_complaint_is_missed(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """A page was printed and kept; then the daemon went away: both are told."""

    def page(params: Params, _connection: Connection) -> Params:
        if params["after"]:
            raise Gone
        return {"messages": [message(row=1)], "more": True}

    daemon.on("inbox", page)
    done = to_a_full_disk(operator, "inbox", "--all")
    assert done.code == 3
    assert "the answer could not be written" in done.err
    assert "went away" in done.err
