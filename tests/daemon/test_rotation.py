"""New keys: when they may not be made, and that no full disk keeps a line from announcing them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from hotline.daemon import rotation
from hotline.daemon.identity import Identity
from hotline.errors import RefusedError, StoreError, StoreFullError
from hotline.line.lineage import Lineage
from hotline.model import Halt

if TYPE_CHECKING:
    import trio.testing

    from support.home import Home


def runner(**fields: Any) -> Any:
    """Give as much of a line at work as is asked for, whose peer has confirmed all."""
    line = {"halt": None, "recovering": False, "state": None, **fields}
    return SimpleNamespace(
        line=SimpleNamespace(
            halt=line["halt"],
            record=SimpleNamespace(name="bravo", recovering=line["recovering"]),
            key_changes=SimpleNamespace(state=line["state"]),
        )
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"halt": Halt("fork", "two histories", 1)}, "halted"),
        ({"recovering": True}, "halted"),
        ({"state": "pending"}, "rotation-under-way"),
    ],
)
def test_no_keys_are_made_that_a_peer_could_not_be_told_of(
    home: Home, fields: dict[str, Any], code: str
) -> None:
    """It would go on by old keys that the operator believes to be over."""
    identity = Identity(home.config)
    assert rotation.check(identity, [runner(), runner(state="confirmed")]) == 2
    with pytest.raises(RefusedError) as caught:
        rotation.check(identity, [runner(), runner(**fields)])
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("faults", "asked"),
    [([], 1), ([StoreFullError("full"), StoreFullError("full")], 3), ([StoreError("failed")], 1)],
)
async def test_a_full_disk_is_asked_again(
    home: Home, faults: list[StoreError], asked: int, autojump_clock: trio.testing.MockClock
) -> None:
    """Keys that were stolen would stay in force on that line until the next start."""
    del autojump_clock
    home.succeed("alpha")
    identity, left, calls = Identity(home.config), list(faults), 0
    [first, _] = identity.generations

    async def request(*_arguments: Any, **_named: Any) -> None:
        nonlocal calls
        calls += 1
        if left:
            raise left.pop(0)

    line = SimpleNamespace(
        record=SimpleNamespace(line=1),
        recorded=None,
        pairing=SimpleNamespace(owns=Lineage(first), own=first.card),
        key_changes=SimpleNamespace(prepare=lambda *_: None),
    )
    at_work: Any = SimpleNamespace(line=line, request=request)
    began = trio.current_time()
    await rotation.take_up(identity, at_work)
    assert (calls, round(trio.current_time() - began)) == (asked, 5 * (asked - 1))
