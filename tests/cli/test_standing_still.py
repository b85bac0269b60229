"""A line on which nothing moves until somebody acts: who sends is told, and status says what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cli.fake_daemon import FakeDaemon, Params, Silent, line, message
from cli.station_operator import Operator

from hotline import errors
from hotline.cli import cures

HALTS = sorted(
    set(re.findall(r"``([\w-]+)``", errors.HaltError.__doc__ or "")) - {"code", "revoked"}
)
STILL = [*(("halted", code) for code in HALTS), ("down", "peer-halted"), ("down", "peer-revoked")]


def standing(state: str, reason: str, come: str = "queued") -> Any:
    """Give a handler of ``send`` for a line that stands so; its messages have come so far."""

    def queue(params: Params, _connection: object) -> Params:
        known = {"state": come, "repeated": come != "queued"}
        found = [{"id": one["id"], **known} for one in params["messages"]]
        return {"results": found, "line": {"state": state, "reason": reason}}

    return queue


@pytest.mark.parametrize(("state", "reason"), STILL)
def test_who_sends_on_such_a_line_is_told(
    operator: Operator, daemon: FakeDaemon, state: str, reason: str
) -> None:
    """It is queued, and that is all that will ever happen while everybody waits for the line."""
    daemon.on("send", standing(state, reason))
    said = f"hint: line bravo is {state} ({reason}): an operator must act; see: hotline status\n"
    done = operator.run("send", "bravo", "x", "--id", "x")
    assert (done.code, done.out, done.err) == (0, "queued x for bravo\n", said)
    done = operator.run("send", "bravo", "x", "--json")
    assert (done.code, done.objects[0]["state"], done.err) == (0, "queued", said)
    assert sorted(done.objects[0]) == ["id", "line", "repeated", "state"]
    assert {method for method, _ in daemon.requests} == {"send"}, "one round trip is enough"


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_who_waits_is_told_before(operator: Operator, daemon: FakeDaemon, how: list[str]) -> None:
    """Not after ten minutes; and that the line will let it, one day, is not all that is known."""
    daemon.on("send", standing("halted", "own-log-lost"))
    daemon.answers("wait", {"messages": [{"id": "x", "state": "delivered"}]})
    done = operator.run("send", "bravo", "x", "--id", "x", "--wait", "delivered", *how)
    assert done.code == 0
    assert done.err.count("hint: line bravo is halted (own-log-lost)") == 1


def test_who_has_waited_in_vain_is_told(operator: Operator, daemon: FakeDaemon) -> None:
    """The line halted meanwhile: that it will still be delivered one day is no help."""

    def never(_params: Params, _connection: object) -> None:
        raise Silent

    daemon.on("send", standing("down", "refused"))
    daemon.on("wait", never)
    daemon.answers("show", {"messages": [message(id="x", direction="out", state="sent")]})
    batch = b'{"body":"x"}\n'
    still = "hint: line bravo is halted (fork): an operator must act; see: hotline status\n"
    for state, reason in (("halted", "fork"), ("down", "refused")):
        lines = [line(name="north", state="halted"), line(state=state, reason=reason)]
        daemon.answers("status", {"station": "alpha", "lines": lines})
        waiting = ("--wait", "delivered", "--timeout", "0.1")
        done = operator.run("send", "bravo", "x", "--id", "x", *waiting)
        assert (done.code, done.err.endswith(still)) == (4, state == "halted")
        assert ("will still be delivered" in done.err) == (state == "down")
        done = operator.run("send", "bravo", "--batch", "-", *waiting, stdin=batch)
        assert (done.code, still in done.err) == (4, state == "halted")
        assert ("will still be delivered" in done.err) == (state == "down")


def test_a_batch_is_told_once(operator: Operator, daemon: FakeDaemon) -> None:
    """Five requests, one hint."""
    daemon.on("send", standing("halted", "fork"))
    batch = b'{"body":"x"}\n' * 5000
    for how in ([], ["--json"]):
        done = operator.run("send", "bravo", "--batch", "-", *how, stdin=batch)
        assert done.code == 0
        assert done.err == (
            "hint: line bravo is halted (fork): an operator must act; see: hotline status\n"
        )


@pytest.mark.parametrize("state", ["delivered", "acknowledged"])
def test_what_has_arrived_waits_for_nobody(
    operator: Operator, daemon: FakeDaemon, state: str
) -> None:
    """Sent before and delivered: how the line stands now is not what was asked."""
    daemon.on("send", standing("halted", "fork", state))
    assert operator.run("send", "bravo", "x", "--id", "x").err == ""


@pytest.mark.parametrize(
    ("state", "reason"), [("up", "proven"), ("down", "refused"), ("degraded", "no-receipts")]
)
def test_a_line_that_goes_on_by_itself_needs_no_word(
    operator: Operator, daemon: FakeDaemon, state: str, reason: str
) -> None:
    """A hint at each message is a hint that nobody reads."""
    daemon.on("send", standing(state, reason))
    assert operator.run("send", "bravo", "x").err == ""
    assert operator.run("send", "bravo", "--batch", "-", stdin=b'{"body":"x"}\n').err == ""


def shown(operator: Operator, daemon: FakeDaemon, **changes: Any) -> str:
    """Give what ``status`` shows of a line."""
    status = {"station": "alpha", "station_id": "00", "lines": [line(**changes)]}
    daemon.answers("status", status)
    done = operator.run("status")
    assert max(map(len, done.out.splitlines())) <= 80
    return done.out


@pytest.mark.parametrize(("state", "reason"), [*STILL, ("halted", "revoked"), ("halted", "new")])
def test_status_ends_such_a_line_with_its_cure(
    operator: Operator, daemon: FakeDaemon, state: str, reason: str
) -> None:
    """The one state in which nothing happens by itself must not be the one that names no step."""
    out = shown(operator, daemon, state=state, reason=reason, next_attempt_s=3.0)
    assert out.count("now: ") == 1, "to call again is of no use here"
    assert "\n  now: " in out
    assert out.endswith('  see "What to do when" in docs/operations.md\n')


def test_what_can_do_harm_is_not_said_as_if_it_were_routine(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """A store that still exists, a second machine, a courier file on its way: recovery would fork."""
    out = shown(operator, daemon, state="halted", reason="own-log-lost")
    before, _, after = out.partition("\n    hotline line recover bravo\n")
    told = " ".join(before.split())
    for condition in ("put the newest store back", "no other machine runs", "courier file"):
        assert condition in told
    assert "hotline" not in after
    for reason in {*HALTS, "revoked", "new"} - {"own-log-lost"}:
        assert "\n    hotline line recover" not in shown(
            operator, daemon, state="halted", reason=reason
        )
    for reason in ("fork", "peer-broke-rules"):
        out = shown(operator, daemon, state="halted", reason=reason)
        assert "as evidence" in " ".join(out.split())


def test_a_store_that_is_put_back_leads_to_a_retry_at_the_other_station(
    operator: Operator, daemon: FakeDaemon
) -> None:
    """Who was restored is well again; the peer stays halted until somebody says so there."""
    told = {
        reason: " ".join(shown(operator, daemon, state=state, reason=reason).split())
        for state, reason in STILL
    }
    for reason in ("own-log-lost", "fork"):
        assert "start, and have hotline retry said over there" in told[reason]
    for reason in ("fork", "peer-log-lost"):
        assert "hotline retry" in told[reason].partition("over there")[2]
    assert "newest store has been put back" in told["peer-log-lost"]
    assert "hotline retry has to be said there" in told["peer-halted"]


def test_every_halt_has_a_cure_of_its_own() -> None:
    """Whoever adds a code must say what an operator does about it."""
    assert set(cures._HALTED) == {*HALTS, "revoked"}


def test_a_line_that_goes_on_by_itself_has_no_cure(operator: Operator, daemon: FakeDaemon) -> None:
    """Advice on a line that works would be followed one day."""
    for state, reason in (("up", "proven"), ("down", "refused"), ("degraded", "recovering")):
        out = shown(operator, daemon, state=state, reason=reason)
        assert "  now: " not in out
        assert "docs/operations.md" not in out


def test_an_older_daemon_says_nothing_of_the_line(operator: Operator, daemon: FakeDaemon) -> None:
    """After an upgrade of the program alone, messages are still queued."""
    daemon.answers("send", {"results": [{"id": "x", "state": "queued", "repeated": False}]})
    done = operator.run("send", "bravo", "x", "--id", "x")
    assert (done.code, done.err) == (0, "")
