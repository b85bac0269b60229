"""The target for odd answers, by hand: each value of each honest answer is replaced once."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

import pytest
from fuzz import results, targets

from hotline.cli import shapes

OTHERS: Final = (
    results.GONE,
    results.TWICE,
    *(results.ODD.index(one) for one in (None, -1, 2**64 + 1, "x", results.HOSTILE, [None])),
)


def places(methods: tuple[str, ...]) -> int:
    """Give how many values the answers to these methods have."""
    said: Any = {method: results.HONEST[method] for method in methods}
    if methods == ("watch",):
        said = [{"at": "", "line": "", **event} for event in results.EVENTS]
    return len(list(results._values(deepcopy(said))))


@pytest.mark.parametrize("verb", range(len(results.VERBS)))
def test_a_verb_shows_what_is_whole_or_says_what_it_cannot_read(verb: int) -> None:
    """A daemon of another version than the command was told as a fault in the command."""
    methods = results.VERBS[verb][1]
    for place in range(places(methods)):
        for other in OTHERS:
            targets.run("result", bytes([verb, *place.to_bytes(2, "big"), other]))


def test_every_method_and_event_has_an_honest_answer() -> None:
    """One that is left out here is one that no fuzzer looks at."""
    left = {"trust", "rotate"}  # what verbs ask for that do more than show it
    assert results.HONEST.keys() | left == shapes.RESULTS.keys() | {"progress"}
    assert {event["event"] for event in results.EVENTS} == shapes.EVENTS.keys()
    for method, answer in results.HONEST.items():
        assert shapes.fault(answer, shapes.RESULTS.get(method, shapes.PROGRESS)) is None


@pytest.mark.parametrize(
    ("answer", "where"),
    [
        ({}, "lines"),
        ({"lines": {}}, "lines"),
        ({"lines": [{"name": "a", "state": "up"}, {"name": 1}]}, "lines[1].name"),
        ({"lines": [{"name": "a", "state": "up", "queued": True}]}, "lines[0].queued"),
        ({"lines": [{"name": "a", "state": "up", "rtt_ms": "1"}]}, "lines[0].rtt_ms"),
        ({"lines": [{"name": "a", "state": "up", "rtt_ms": 10**400}]}, "lines[0].rtt_ms"),
        ({"lines": [{"name": "a", "state": "up", "rtt_ms": 3, "new": []}]}, None),
        ({"lines": [], "key_change": {"number": 1, "waiting": [2]}}, "key_change.waiting[0]"),
        ({"lines": [], "key_change": None}, None),
    ],
)
def test_the_place_of_a_fault_is_named(answer: dict[str, Any], where: str | None) -> None:
    """Whoever writes a daemon, or upgrades one, must find what is wrong with it."""
    assert shapes.fault({"station": "alpha", **answer}, shapes.RESULTS["status"]) == where


def test_either_of_two_shapes_is_whole() -> None:
    """A message is accepted or refused: of one that is both, nobody knows what became."""
    shape = shapes.RESULTS["send"]
    for result, whole in (
        ({"id": "a", "state": "queued"}, True),
        ({"id": "a", "state": None, "repeated": True}, True),
        ({"id": None, "error": {"message": "no"}}, True),
        ({"id": "a", "state": "queued", "error": {"message": 5}}, False),
        ({"id": "a"}, False),
        ({"id": "a", "error": "no"}, False),
    ):
        assert (shapes.fault({"results": [result]}, shape) is None) == whole
