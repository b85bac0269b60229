"""The assessment of a line as a table: what is known, and what may be said of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.line.liveness import REASONS, Facts, LineState, assess, next_change
from hotline.model import Halt

NOW = 1000.0
UP = Facts(
    now=NOW,
    halt=None,
    standing=True,
    trouble="",
    heard_at=NOW - 1,
    proven_at=NOW - 1,
    interval_s=5.0,
    peer_interval_s=5.0,
)
HALT = Halt("fork", "two histories", 1)

TABLE: list[tuple[dict[str, Any], str, str]] = [
    ({}, "up", "proven"),
    ({"peer_attended": False}, "up", "unattended"),
    ({"heard_at": NOW - 9.99}, "up", "proven"),
    ({"heard_at": NOW - 10}, "degraded", "heartbeats-missed"),
    ({"heard_at": NOW - 10, "kernel_took_all": True}, "degraded", "peer-stalled"),
    ({"heard_at": NOW - 10, "kernel_took_all": False}, "degraded", "network-silent"),
    ({"heard_at": NOW - 14.99, "kernel_took_all": True}, "degraded", "peer-stalled"),
    ({"heard_at": NOW - 15}, "down", "heartbeats-missed"),
    ({"heard_at": NOW - 15, "kernel_took_all": True}, "down", "peer-stalled"),
    ({"heard_at": NOW - 15, "kernel_took_all": False}, "down", "network-silent"),
    ({"heard_at": NOW - 100}, "down", "heartbeats-missed"),
    ({"kernel_took_all": False}, "up", "proven"),
    ({"proven_at": NOW - 19.99}, "up", "proven"),
    ({"proven_at": NOW - 20}, "degraded", "one-way"),
    ({"proven_at": NOW - 500}, "degraded", "one-way"),
    ({"accepting": False}, "degraded", "not-accepting"),
    ({"peer_accepting": False}, "degraded", "peer-not-accepting"),
    ({"accepting": False, "peer_accepting": False}, "degraded", "not-accepting"),
    ({"recovery": "recovering"}, "degraded", "recovering"),
    ({"recovery": "peer-recovering", "accepting": False}, "degraded", "peer-recovering"),
    ({"recovery": "recovering", "heard_at": NOW - 15}, "down", "heartbeats-missed"),
    ({"waiting_since": NOW - 9.99}, "up", "proven"),
    ({"waiting_since": NOW - 10}, "degraded", "no-receipts"),
    ({"waiting_since": NOW - 10, "peer_accepting": False}, "degraded", "peer-not-accepting"),
    ({"heard_at": NOW - 29, "peer_interval_s": 30.0}, "up", "proven"),
    ({"heard_at": NOW - 60, "peer_interval_s": 30.0}, "degraded", "heartbeats-missed"),
    ({"heard_at": NOW - 90, "peer_interval_s": 30.0}, "down", "heartbeats-missed"),
    ({"heard_at": NOW - 60, "interval_s": 30.0}, "degraded", "heartbeats-missed"),
    ({"standing": False, "trouble": "refused"}, "down", "refused"),
    ({"standing": False, "trouble": "starting", "heard_at": NOW - 500}, "down", "starting"),
    ({"halt": HALT}, "halted", "fork"),
    ({"halt": HALT, "standing": False, "trouble": "refused"}, "halted", "fork"),
    ({"halt": HALT, "heard_at": NOW - 500}, "halted", "fork"),
]


@pytest.mark.parametrize(
    ("known", "state", "reason"),
    TABLE,
    ids=[",".join(f"{k}={v}" for k, v in row[0].items()) or "quiet" for row in TABLE],
)
def test_what_is_said_of_what_is_known(known: dict[str, Any], state: str, reason: str) -> None:
    """An operator acts on these two words alone."""
    said = assess(UP._replace(**known))
    assert (said.state, said.reason) == (state, reason)


def test_every_reason_can_be_spelt_out() -> None:
    """A reason whose sentence cannot be made would end the daemon in the worst minute."""
    for reason in REASONS:
        said = assess(UP._replace(standing=False, trouble=reason))
        assert (said.state, said.reason) == (LineState.DOWN, reason)
        assert said.detail
        assert "{" not in said.detail


def test_a_detail_counts_the_seconds() -> None:
    """How long it has been is what tells a hiccup from an outage."""
    assert "for 12 s" in assess(UP._replace(heard_at=NOW - 12)).detail
    assert "for 31 s" in assess(UP._replace(proven_at=NOW - 31)).detail
    assert "waited 11 s" in assess(UP._replace(waiting_since=NOW - 11)).detail


times = st.floats(0.0, 500.0)
known = st.fixed_dictionaries(
    {
        "halt": st.none() | st.just(HALT),
        "standing": st.booleans(),
        "trouble": st.sampled_from(sorted(REASONS)),
        "heard_at": times.map(lambda ago: NOW - ago),
        "proven_at": times.map(lambda ago: NOW - ago),
        "interval_s": st.floats(0.05, 60.0),
        "peer_interval_s": st.floats(0.05, 60.0),
        "kernel_took_all": st.none() | st.booleans(),
        "accepting": st.booleans(),
        "peer_accepting": st.booleans(),
        "peer_attended": st.booleans(),
        "recovery": st.sampled_from(["", "recovering", "peer-recovering"]),
        "waiting_since": st.none() | times.map(lambda ago: NOW - ago),
    }
)


@given(known)
def test_up_is_only_said_of_what_is_proven(facts: dict[str, Any]) -> None:
    """Whatever else is known, `up` needs fresh proof both ways, and a peer that takes entries in."""
    one = UP._replace(**facts)
    if assess(one).state is not LineState.UP:
        return
    slower_s = max(one.interval_s, one.peer_interval_s)
    assert one.halt is None
    assert one.standing
    assert NOW - one.heard_at <= 2 * slower_s
    assert NOW - one.proven_at <= 4 * slower_s + 1e-6
    assert one.accepting
    assert one.peer_accepting
    assert not one.recovery


@given(known)
def test_the_next_change_lies_ahead_and_none_is_missed(facts: dict[str, Any]) -> None:
    """A deadline in the past spins the daemon; one too late leaves a dead line called up."""
    one = UP._replace(**facts)
    said, due = assess(one), next_change(one)
    if due is not None:
        assert due > NOW
    end = NOW + 1000 if due is None else due
    for share in (0.25, 0.5, 0.75, 0.999):
        between = assess(one._replace(now=NOW + (end - NOW) * share))
        assert (between.state, between.reason) == (said.state, said.reason)


@given(st.floats(0.0, 1e6), st.floats(0.05, 60.0), st.floats(0.05, 60.0))
def test_what_is_due_at_a_time_is_seen_at_that_time(
    heard_at: float, interval_s: float, peer_interval_s: float
) -> None:
    """One rounding in the deadline and another in the check, and the state is late by a heartbeat."""
    facts = UP._replace(
        now=heard_at,
        heard_at=heard_at,
        proven_at=heard_at + 1e9,
        interval_s=interval_s,
        peer_interval_s=peer_interval_s,
    )
    states = []
    while (due := next_change(facts)) is not None and due < 1e9:
        facts = facts._replace(now=due)
        states.append(str(assess(facts).state))
    assert states == ["degraded", "down"]


def test_facts_have_no_field_that_the_table_leaves_out() -> None:
    """A new fact without a row would be a reason that nobody has seen."""
    used = {name for row, _, _ in TABLE for name in row} | {"now"}
    assert set(Facts._fields) <= used
