"""The second tier: whole daemons under a virtual clock. It holds, it can fail, and a seed is a seed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
import trio
from sim import determinism, main
from sim.daemon_planted import BUGS, planted
from sim.daemon_world import CancelAtEachStep
from sim.scenes import UNEVEN

if TYPE_CHECKING:
    from sim.world import World

_SEEDS: Final = 24
_LIVES: Final = 80

_CALM: Final[dict[str, Any]] = UNEVEN | {"slow_disk": "", "faults": (), "commit_s": (0.0002, 0.004)}

SCENES: Final[dict[str, tuple[dict[str, Any], int]]] = {
    "told_though_it_failed": (_CALM | {"faults": ("full", "io-lost")}, 5),
    "failure_swallowed": (_CALM | {"faults": ("io-lost",)}, 3),
    "waits_for_ever": (_CALM | {"faults": ("stop",)}, 3),
    "left_open": (_CALM | {"faults": (), "chaos_s": 80.0}, 3),
    "done_before_commit": (_CALM, 3),
}


def live(seed: int, *instruments: trio.abc.Instrument, **fixed: Any) -> World:
    """Live through a world of daemons."""
    return main.live(seed, daemons=True, instruments=instruments, **fixed)


def test_worlds_of_daemons_hold() -> None:
    """Tasks that end in the wrong order, or do not end, lose messages as surely as a bad protocol."""
    marks: Counter[str] = Counter()
    for seed in range(_SEEDS):
        marks.update(live(seed).marks)
    for path in (
        "a caller could not be accepted",
        "a watch showed a message",
        "a watch stalled",
        "exit on an I/O error",
        "death in the midst of a write",
        "crash between commit and answer",
        "entries were sent again",
        "simultaneous dial",
    ):
        assert marks[path], f"never ran: {path}; {marks}"


def test_a_stop_under_load_says_goodbye() -> None:
    """A station that leaves without a word looks like a dead network to its peer."""
    world = live(1, **(_CALM | {"faults": ("stop",), "operation_gap_s": 0.05}))
    assert world.chaos.fired["stop"] > 1
    assert world.marks["a peer said that it stops"] > 1
    assert world.marks["a session was cut"] == 0


def test_cancelled_at_every_step_nothing_leaks() -> None:
    """Wherever a task waits, it may be cancelled: no socket, thread or message may be left behind."""
    world = live(1, CancelAtEachStep("north", _LIVES), **(_CALM | {"chaos_s": 80.0}))
    assert world.marks["a daemon was cancelled"] == _LIVES


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_planted_bug_is_found(bug: str) -> None:
    """A tier that stays green over this bug would stay green over the next real one."""
    scene, seeds = SCENES[bug]
    with planted(bug), pytest.raises(Exception, match=r"\w") as caught:
        _live_all(seeds, scene)
    assert any("the last transitions:" in note for note in caught.value.__notes__)


def _live_all(seeds: int, scene: dict[str, Any]) -> None:
    for seed in range(seeds):
        live(seed, CancelAtEachStep("north", 0 if scene["faults"] else _LIVES), **scene)


@pytest.mark.parametrize("seed", [2, 4])
def test_a_seed_is_one_world(seed: int) -> None:
    """A failure that cannot be run again cannot be understood."""
    assert live(seed).fingerprint == live(seed).fingerprint


def test_the_order_of_tasks_is_the_seed_s() -> None:
    """Another trio may choose its tasks by other means: then no seed is a world any more."""

    def order(seed: int) -> list[int]:
        seen: list[int] = []

        async def note(number: int) -> None:
            for _ in range(5):
                await trio.sleep(1.0)
                seen.append(number)

        async def crowd() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(8):
                    nursery.start_soon(note, number)

        determinism.run(crowd, seed)
        return seen

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(10)}) > 5


def test_time_passes_only_when_nobody_can_go_on() -> None:
    """An hour of waiting must cost nothing, and be an hour."""

    async def wait() -> float:
        await trio.sleep(3600.0)
        return trio.current_time()

    assert determinism.run(wait, 1) == pytest.approx(3600.0)
